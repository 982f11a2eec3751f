#include "port/capture_reader.h"

#include <cstring>

#include "port/pcap_reader.h"
#include "port/pcapng_reader.h"

namespace nf {

Expected<std::unique_ptr<CaptureReader>> CaptureReader::Open(const std::string& path) {
  auto source = FileSource::Open(path);
  if (!source) return std::unexpected(source.error());
  CaptureInput input{path, std::move(*source)};
  if (!input.source.Need(4)) {
    if (input.source.error() != 0) return input.ReadError();
    return Fail(ErrorCode::kCaptureFormat,
                path +
                    (input.source.available() == 0 ? ": the file is empty" : ": the file is neither pcap nor pcapng") +
                    ". Give a capture as tcpdump, dumpcap or Wireshark write it.");
  }
  if (PcapngReader::Recognizes(input.source.data())) return PcapngReader::Open(std::move(input));
  if (PcapReader::Recognizes(input.source.data())) return PcapReader::Open(std::move(input));
  return Fail(ErrorCode::kCaptureFormat, path +
                                             ": the file is neither pcap nor pcapng. Give a capture as tcpdump, "
                                             "dumpcap or Wireshark write it; a compressed one has to be unpacked "
                                             "first.");
}

}  // namespace nf

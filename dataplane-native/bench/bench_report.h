// What every native benchmark takes and prints: a table for people, or with --json one list of
// {name, case, metric, unit, median, min, max, baseline, ratio, runs}, where `runs` counts the repetitions and
// `baseline` is the median of another measurement of the same run; the table goes to stderr then, to show how far it
// is. Machines are noisy: what is compared is measured in turns.
//   --full         more cases, where a benchmark has some that take long
//   --quick        less of everything, to see that it works; figures are not worth keeping
//   --case <text>  only cases whose name contains the text
#pragma once

#include <algorithm>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <optional>
#include <string>
#include <vector>

namespace nf {

class BenchReport {
 public:
  BenchReport(const char* name, int argc, char** argv) : name_(name) {
    for (int i = 1; i < argc; ++i) {
      const std::string argument = argv[i];
      if (argument == "--json") {
        json_ = true;
      } else if (argument == "--full") {
        full_ = true;
      } else if (argument == "--quick") {
        quick_ = true;
      } else if (argument == "--case" && i + 1 < argc) {
        case_ = argv[++i];
      } else {
        std::fprintf(stderr, "bench %s: '%s' is unknown; --json, --quick, --full and --case <text> are allowed\n", name,
                     argv[i]);
        std::exit(2);
      }
    }
  }
  ~BenchReport() {
    if (json_) std::fputs(rows_ == 0 ? "[]\n" : "\n]\n", stdout);
  }
  BenchReport(const BenchReport&) = delete;
  BenchReport& operator=(const BenchReport&) = delete;

  bool quick() const { return quick_; }
  bool full() const { return full_; }
  // Whether to measure the case; Add leaves out what is not wanted.
  bool Wants(const std::string& what) const { return what.find(case_) != std::string::npos; }

  static double Median(std::vector<double> values) {
    std::sort(values.begin(), values.end());
    size_t half = values.size() / 2;
    return values.size() % 2 == 1 ? values[half] : (values[half - 1] + values[half]) / 2;
  }

  // `baseline`: what to compare with, in the same unit.
  void Add(const std::string& what, const char* metric, const char* unit, const std::vector<double>& values,
           std::optional<double> baseline = {}) {
    if (!Wants(what)) return;
    double median = Median(values);
    auto [least, most] = std::minmax_element(values.begin(), values.end());
    std::string base = baseline ? Number(*baseline) : "null";
    std::string ratio = baseline && *baseline != 0 ? Number(median / *baseline) : "null";
    if (json_) {
      std::printf(
          "%s{\"name\": \"%s\", \"case\": \"%s\", \"metric\": \"%s\", \"unit\": \"%s\", \"median\": %s, \"min\": %s, "
          "\"max\": %s, \"baseline\": %s, \"ratio\": %s, \"runs\": %zu}",
          rows_ == 0 ? "[\n" : ",\n", name_, what.c_str(), metric, unit, Number(median).c_str(), Number(*least).c_str(),
          Number(*most).c_str(), base.c_str(), ratio.c_str(), values.size());
      std::fflush(stdout);
    }
    ++rows_;
    std::string against;
    if (baseline && *baseline != 0) against = "  x " + ratio + " of " + base;
    std::fprintf(json_ ? stderr : stdout, "%-8s %-42s %-16s %10s %-8s [%s, %s]%s\n", name_, what.c_str(), metric,
                 Number(median).c_str(), unit, Number(*least).c_str(), Number(*most).c_str(), against.c_str());
    std::fflush(json_ ? stderr : stdout);
  }

 private:
  static std::string Number(double value) {
    char text[32];
    std::snprintf(text, sizeof text, "%.4g", value);
    if (std::strchr(text, 'e') != nullptr) std::snprintf(text, sizeof text, "%.0f", value);
    return text;
  }

  const char* name_;
  bool json_ = false, quick_ = false, full_ = false;
  std::string case_;
  size_t rows_ = 0;
};

}  // namespace nf

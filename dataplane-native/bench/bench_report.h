// What every native benchmark prints: a table for people, or with --json one list of
// {name, case, metric, unit, median, min, max, baseline, ratio, runs}, where `runs` counts the repetitions and
// `baseline` is the median of another measurement of the same run. Machines are noisy: what is compared is measured in
// turns.
#pragma once

#include <algorithm>
#include <cstdio>
#include <cstring>
#include <optional>
#include <string>
#include <vector>

namespace nf {

class BenchReport {
 public:
  BenchReport(const char* name, int argc, char** argv) : name_(name) {
    for (int i = 1; i < argc; ++i) json_ |= std::strcmp(argv[i], "--json") == 0;
  }
  ~BenchReport() {
    if (json_) std::fputs(rows_.empty() ? "[]\n" : "\n]\n", stdout);
  }
  BenchReport(const BenchReport&) = delete;
  BenchReport& operator=(const BenchReport&) = delete;

  static double Median(std::vector<double> values) {
    std::sort(values.begin(), values.end());
    size_t half = values.size() / 2;
    return values.size() % 2 == 1 ? values[half] : (values[half - 1] + values[half]) / 2;
  }

  // `baseline`: what to compare with, in the same unit.
  void Add(const std::string& what, const char* metric, const char* unit, const std::vector<double>& values,
           std::optional<double> baseline = {}) {
    double median = Median(values);
    auto [least, most] = std::minmax_element(values.begin(), values.end());
    std::string base = baseline ? Number(*baseline) : "null";
    std::string ratio = baseline && *baseline != 0 ? Number(median / *baseline) : "null";
    rows_.push_back(what);
    if (json_) {
      std::printf(
          "%s{\"name\": \"%s\", \"case\": \"%s\", \"metric\": \"%s\", \"unit\": \"%s\", \"median\": %s, \"min\": %s, "
          "\"max\": %s, \"baseline\": %s, \"ratio\": %s, \"runs\": %zu}",
          rows_.size() == 1 ? "[\n" : ",\n", name_, what.c_str(), metric, unit, Number(median).c_str(),
          Number(*least).c_str(), Number(*most).c_str(), base.c_str(), ratio.c_str(), values.size());
    } else {
      std::printf("%-8s %-34s %-14s %10s %-8s [%s, %s]%s%s\n", name_, what.c_str(), metric, Number(median).c_str(),
                  unit, Number(*least).c_str(), Number(*most).c_str(), baseline ? "  x " : "",
                  baseline ? (ratio + " of " + base).c_str() : "");
    }
    std::fflush(stdout);
  }

 private:
  static std::string Number(double value) {
    char text[32];
    std::snprintf(text, sizeof text, "%.4g", value);
    if (std::strchr(text, 'e') != nullptr) std::snprintf(text, sizeof text, "%.0f", value);
    return text;
  }

  const char* name_;
  bool json_ = false;
  std::vector<std::string> rows_;
};

}  // namespace nf

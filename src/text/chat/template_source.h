#pragma once

#include <map>
#include <string>

namespace aurum::text {

// A chat template as a model carries it.
struct TemplateSource {
  std::string text;
  std::string origin;  // file and key, for messages
};

// By name; the unnamed one is "default".
using TemplateSources = std::map<std::string, TemplateSource>;

}  // namespace aurum::text

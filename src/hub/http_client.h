#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <map>
#include <optional>
#include <span>
#include <string>

namespace aurum::hub {

// The start of an answer: what came before its body.
struct HttpResponse {
  int status = 0;
  std::map<std::string, std::string> headers;  // names in lower case

  std::optional<std::string> header(const std::string& name) const;
};

struct HttpRequest {
  std::string url;                // http:// or https://
  std::string bearer_token;       // sent to the first host only, never to one it redirects to
  std::uint64_t range_begin = 0;  // > 0: asks for the rest from this byte on
};

// Called once, before the body, with the answer after all redirects; false stops.
using ResponseHandler = std::function<bool(const HttpResponse& response)>;
using BodyHandler = std::function<void(std::span<const std::byte> bytes)>;

// Gets a URL, following up to five redirects. Handlers see the final answer of any status. Throws
// IoError when there is no connection or it breaks; what handlers throw comes through.
HttpResponse http_get(const HttpRequest& request, const ResponseHandler& on_response,
                      const BodyHandler& on_body);

}  // namespace aurum::hub

// The only place that opens a network connection.

#include "hub/http_client.h"

#include <algorithm>
#include <cctype>
#include <exception>

#include <fmt/format.h>
#include <httplib.h>

#include "base/error.h"

namespace aurum::hub {
namespace {

constexpr int kMaxRedirects = 5;
constexpr int kConnectSeconds = 30, kReadSeconds = 60;

struct Url {
  std::string host;  // with scheme and port
  std::string path;
};

Url split_url(const std::string& url) {
  const std::size_t scheme = url.find("://");
  const std::string name = url.substr(0, scheme);
  if (scheme == std::string::npos || (name != "http" && name != "https")) {
    throw IoError(fmt::format("{}: not an http or https address. Check HF_ENDPOINT.", url));
  }
  const std::size_t slash = url.find('/', scheme + 3);
  if (slash == std::string::npos) return {url, "/"};
  return {url.substr(0, slash), url.substr(slash)};
}

HttpResponse to_response(const httplib::Response& response) {
  HttpResponse result{response.status, {}};
  for (const auto& [name, value] : response.headers) {
    std::string lower = name;
    std::ranges::transform(lower, lower.begin(), [](unsigned char c) { return std::tolower(c); });
    result.headers[lower] = value;
  }
  return result;
}

bool is_redirect(const HttpResponse& response) {
  return response.status >= 301 && response.status <= 308 && response.status != 304 &&
         response.header("location").has_value();
}

// One request, without following redirects.
class Exchange {
 public:
  Exchange(const Url& url, const HttpRequest& request, const ResponseHandler& on_response,
           const BodyHandler& on_body)
      : url_(url), client_(url.host), on_response_(on_response), on_body_(on_body) {
    client_.set_connection_timeout(kConnectSeconds);
    client_.set_read_timeout(kReadSeconds);
    client_.set_follow_location(false);
    headers_ = {{"User-Agent", "aurum"}, {"Accept-Encoding", "identity"}};
    if (!request.bearer_token.empty()) {
      headers_.emplace("Authorization", "Bearer " + request.bearer_token);
    }
    if (request.range_begin > 0) {
      headers_.emplace("Range", fmt::format("bytes={}-", request.range_begin));
    }
  }

  HttpResponse run() {
    const auto result = client_.Get(
        url_.path, headers_, [this](const httplib::Response& r) { return receive_head(r); },
        [this](const char* data, std::size_t size) { return receive_body(data, size); });
    if (error_) std::rethrow_exception(error_);
    if (stopped_ || result) return response_;
    throw IoError(fmt::format("{}{}: {}", url_.host, url_.path, explain(result.error())));
  }

 private:
  std::string explain(httplib::Error error) const {
    const std::string reason = httplib::to_string(error);
    // By its text: for a wrong host name, some versions of the library have a value of its own.
    if (reason.find("erification") == std::string::npos) {
      return fmt::format("no answer ({}). Check the network, or set HF_HUB_OFFLINE=1.", reason);
    }
    const long verdict = client_.get_openssl_verify_result();
    return fmt::format(
        "the server's certificate is refused ({}). Check the address; if a proxy signs with an "
        "authority of its own, name that authority's file in SSL_CERT_FILE.",
        verdict == X509_V_OK ? "it is of another host" : X509_verify_cert_error_string(verdict));
  }
  // Handlers run inside the library, which knows no exceptions: they are kept for afterwards.
  bool receive_head(const httplib::Response& response) {
    response_ = to_response(response);
    if (is_redirect(response_)) return true;
    return guarded([&] { stopped_ = !on_response_(response_); });
  }
  bool receive_body(const char* data, std::size_t size) {
    if (is_redirect(response_)) return true;
    return guarded([&] { on_body_(std::as_bytes(std::span(data, size))); });
  }
  template <typename Call>
  bool guarded(Call call) {
    try {
      call();
    } catch (...) {
      error_ = std::current_exception();
    }
    return !stopped_ && !error_;
  }

  Url url_;
  httplib::Client client_;
  httplib::Headers headers_;
  const ResponseHandler& on_response_;
  const BodyHandler& on_body_;
  HttpResponse response_;
  std::exception_ptr error_;
  bool stopped_ = false;
};

}  // namespace

std::optional<std::string> HttpResponse::header(const std::string& name) const {
  const auto found = headers.find(name);
  if (found == headers.end()) return std::nullopt;
  return found->second;
}

HttpResponse http_get(const HttpRequest& request, const ResponseHandler& on_response,
                      const BodyHandler& on_body) {
  HttpRequest current = request;
  for (int hop = 0; hop <= kMaxRedirects; ++hop) {
    const Url url = split_url(current.url);
    const HttpResponse response = Exchange(url, current, on_response, on_body).run();
    if (!is_redirect(response)) return response;
    const std::string target = *response.header("location");
    current.url = target.starts_with('/') ? url.host + target : target;
    if (split_url(current.url).host != url.host) current.bearer_token.clear();
  }
  throw IoError(fmt::format("{}: more than {} redirects.", request.url, kMaxRedirects));
}

}  // namespace aurum::hub

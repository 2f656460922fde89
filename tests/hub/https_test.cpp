// Downloads over TLS from a server on this machine, whose certificate an authority made here signs.

#include <cstdlib>
#include <memory>
#include <string>
#include <thread>

#include <fmt/format.h>
#include <gmock/gmock.h>
#include <httplib.h>
#include <openssl/evp.h>
#include <openssl/pem.h>
#include <openssl/x509v3.h>

#include "base/error.h"
#include "base/files.h"
#include "hub/http_client.h"
#include "tests/support/temporary_folder.h"

namespace aurum::hub {
namespace {

using ::testing::AllOf;
using ::testing::HasSubstr;
using ::testing::Not;
using testing_support::TemporaryFolder;

struct Certificate {
  std::shared_ptr<EVP_PKEY> key{EVP_EC_gen("P-256"), EVP_PKEY_free};
  std::shared_ptr<X509> x509{X509_new(), X509_free};
};

void add_extension(X509* x509, int id, const char* value) {
  const std::unique_ptr<X509_EXTENSION, decltype(&X509_EXTENSION_free)> extension(
      X509V3_EXT_conf_nid(nullptr, nullptr, id, value), X509_EXTENSION_free);
  X509_add_ext(x509, extension.get(), -1);
}

// Valid for an hour, for what `extension` says; signed by `authority`, or by itself.
Certificate make_certificate(const std::string& name, int extension, const char* value,
                             const Certificate* authority = nullptr) {
  Certificate made;
  const Certificate& signer = authority != nullptr ? *authority : made;
  X509* x509 = made.x509.get();
  X509_set_version(x509, X509_VERSION_3);
  ASN1_INTEGER_set(X509_get_serialNumber(x509), 1);
  X509_gmtime_adj(X509_getm_notBefore(x509), 0);
  X509_gmtime_adj(X509_getm_notAfter(x509), 3600);
  X509_set_pubkey(x509, made.key.get());
  X509_NAME_add_entry_by_txt(X509_get_subject_name(x509), "CN", MBSTRING_UTF8,
                             reinterpret_cast<const unsigned char*>(name.c_str()), -1, -1, 0);
  X509_set_issuer_name(x509, X509_get_subject_name(signer.x509.get()));
  add_extension(x509, extension, value);
  X509_sign(x509, signer.key.get(), EVP_sha256());
  return made;
}

Certificate make_authority(const std::string& name) {
  return make_certificate(name, NID_basic_constraints, "critical,CA:TRUE");
}

// Answers on 127.0.0.1, with a certificate for that address alone.
class HttpsServer {
 public:
  explicit HttpsServer(const Certificate& authority)
      : certificate_(make_certificate("server", NID_subject_alt_name, "IP:127.0.0.1", &authority)),
        server_(certificate_.x509.get(), certificate_.key.get()) {
    server_.Get("/file", [](const httplib::Request&, httplib::Response& response) {
      response.set_content("content", "text/plain");
    });
    port_ = server_.bind_to_any_port("127.0.0.1");
    thread_ = std::thread([this] { server_.listen_after_bind(); });
  }
  ~HttpsServer() {
    server_.stop();
    thread_.join();
  }
  std::string url(const std::string& host) const {
    return fmt::format("https://{}:{}/file", host, port_);
  }

 private:
  Certificate certificate_;
  httplib::SSLServer server_;
  int port_ = 0;
  std::thread thread_;
};

class Https : public ::testing::Test {
 protected:
  // The environment decides whom the client trusts, as for every program that uses OpenSSL.
  void trust(const Certificate& authority) {
    const std::filesystem::path path = folder_.path() / "authority.pem";
    const std::unique_ptr<BIO, decltype(&BIO_free)> file(BIO_new_file(path.c_str(), "w"), BIO_free);
    PEM_write_bio_X509(file.get(), authority.x509.get());
    setenv("SSL_CERT_FILE", path.c_str(), 1);
  }
  // What the server answers, or the message of the error.
  static std::string get(const std::string& url) {
    std::string body;
    try {
      http_get(
          {.url = url}, [](const HttpResponse& response) { return response.status == 200; },
          [&](std::span<const std::byte> bytes) {
            body.append(reinterpret_cast<const char*>(bytes.data()), bytes.size());
          });
    } catch (const IoError& error) {
      return error.what();
    }
    return body;
  }

  TemporaryFolder folder_;
  Certificate authority_ = make_authority("authority");
  HttpsServer server_{authority_};
};

TEST_F(Https, ReadsFromAServerWhoseAuthorityIsTrusted) {
  trust(authority_);
  EXPECT_EQ(get(server_.url("127.0.0.1")), "content");
}

TEST_F(Https, RefusesAnUnknownAuthority) {
  trust(make_authority("another"));
  EXPECT_THAT(get(server_.url("127.0.0.1")),
              AllOf(HasSubstr(server_.url("127.0.0.1") + ": the server's certificate is refused ("),
                    HasSubstr("issuer"), HasSubstr("SSL_CERT_FILE"), Not(HasSubstr("\n"))));
}

TEST_F(Https, RefusesTheCertificateOfAnotherHost) {
  trust(authority_);
  EXPECT_THAT(get(server_.url("localhost")),
              AllOf(HasSubstr(server_.url("localhost") + ": the server's certificate is refused ("),
                    HasSubstr("another host"), Not(HasSubstr("\n"))));
}

}  // namespace
}  // namespace aurum::hub

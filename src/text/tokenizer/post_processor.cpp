#include "text/tokenizer/post_processor.h"

namespace aurum::text {
namespace {

using FindId = std::function<std::optional<TokenId>(std::string_view)>;

// The ids of a template's special token; they are listed apart, or follow from its name.
std::vector<TokenId> template_ids(const Json& specials, const std::string& name,
                                  const JsonPlace& place, const FindId& id_of) {
  const Json entry = specials.is_object() ? specials.value(name, Json::object()) : Json::object();
  if (!entry.is_object()) (place / "special_tokens" / name).fail("must be an object");
  auto ids = json_value<std::vector<TokenId>>(entry, "ids", {}, place / "special_tokens" / name);
  if (!ids.empty()) return ids;
  const auto id = id_of(name);
  if (!id) (place / "single").fail(fmt::format("names the token {}, which does not exist", name));
  return {*id};
}

PostProcessor read_template(const Json& object, const JsonPlace& place, const FindId& id_of) {
  const Json specials = object.value("special_tokens", Json::object());
  PostProcessor result;
  std::vector<TokenId>* out = &result.prefix;
  for (const Json& item : json_array(object, "single", place)) {
    if (item.is_object() && item.contains("Sequence")) {
      if (out == &result.suffix) (place / "single").fail("has more than one Sequence");
      out = &result.suffix;
    } else if (item.is_object() && item.contains("SpecialToken")) {
      const std::string name = json_string(item["SpecialToken"], "id", place / "single");
      const auto ids = template_ids(specials, name, place, id_of);
      out->insert(out->end(), ids.begin(), ids.end());
    } else {
      (place / "single").fail("has an unknown piece; known are Sequence and SpecialToken");
    }
  }
  if (out == &result.prefix) (place / "single").fail("has no Sequence");
  return result;
}

// A [token, id] pair of BertProcessing and RobertaProcessing.
TokenId paired_id(const Json& object, const char* key, const JsonPlace& place) {
  const Json& pair = json_array(object, key, place);
  if (pair.size() != 2 || !pair[1].is_number_integer()) (place / key).fail("must be [token, id]");
  return pair[1].get<TokenId>();
}

}  // namespace

PostProcessor read_post_processor(const Json& object, const JsonPlace& place, const FindId& id_of) {
  PostProcessor result;
  if (object.is_null()) return result;
  const std::string type = json_type(object, place);
  if (type == "ByteLevel") return result;  // it moves offsets only
  if (type == "TemplateProcessing") return read_template(object, place, id_of);
  if (type == "BertProcessing" || type == "RobertaProcessing") {
    return {{paired_id(object, "cls", place)}, {paired_id(object, "sep", place)}};
  }
  if (type != "Sequence") {
    place.fail(
        fmt::format("the post-processor {} is not supported (supported: Sequence, ByteLevel, "
                    "TemplateProcessing, BertProcessing, RobertaProcessing)",
                    type));
  }
  const Json& list = json_array(object, "processors", place);
  for (std::size_t i = 0; i < list.size(); ++i) {
    // Each one wraps what those before it made.
    const PostProcessor outer =
        read_post_processor(list[i], place / "processors" / std::to_string(i), id_of);
    result.prefix.insert(result.prefix.begin(), outer.prefix.begin(), outer.prefix.end());
    result.suffix.insert(result.suffix.end(), outer.suffix.begin(), outer.suffix.end());
  }
  return result;
}

}  // namespace aurum::text

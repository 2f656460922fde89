#define PCRE2_CODE_UNIT_WIDTH 8
#include "text/tokenizer/regex.h"

#include <array>
#include <cctype>
#include <vector>

#include <pcre2.h>

#include "base/error.h"

namespace aurum::text {
namespace {

constexpr std::array<std::string_view, 12> kScripts = {
    "Han",    "Hiragana", "Katakana", "Latin",  "Greek",      "Cyrillic",
    "Arabic", "Hebrew",   "Thai",     "Hangul", "Devanagari", "Bopomofo"};

// Emoji of Unicode 15 and 16 (category So), which PCRE2 before 10.46 takes for unassigned. The
// other characters that are newer than its tables do not occur in patterns' symbol classes in
// practice.
constexpr std::string_view kNewSymbols =
    "\\x{1F6DC}\\x{1FA75}-\\x{1FA77}\\x{1FA89}\\x{1FA8F}\\x{1FAAD}-\\x{1FAAF}\\x{1FABB}-\\x{1FABF}"
    "\\x{1FAC6}\\x{1FACE}-\\x{1FACF}\\x{1FADA}-\\x{1FADC}\\x{1FADF}\\x{1FAE8}-\\x{1FAE9}"
    "\\x{1FAF7}-\\x{1FAF8}";

class Rewriter {
 public:
  Rewriter(std::string_view pattern, const std::string& where) : in_(pattern), where_(where) {}

  std::string run() {
    while (at_ < in_.size()) {
      const std::size_t atom_begin = out_.size();
      switch (in_[at_]) {
        case '\\':
          escape(false);
          break;
        case '[':
          char_class();
          break;
        case '(':
          open_group();
          continue;
        case ')':
          close_group();
          break;
        case '{':
          copy(1);
          continue;
        default:
          copy_char();
      }
      last_atom_ = in_after_group_ ? group_begin_ : atom_begin;
      in_after_group_ = false;
      interval();
    }
    return std::move(out_);
  }

 private:
  [[noreturn]] void refuse(std::string_view what) const {
    throw FormatError(
        fmt::format("{}: the pattern {} uses {}, which is not supported", where_, in_, what));
  }
  void copy(std::size_t count) {
    out_ += in_.substr(at_, count);
    at_ += count;
  }
  void copy_char() {
    copy(1);
    while (at_ < in_.size() && (in_[at_] & 0xC0) == 0x80) copy(1);
  }
  void emit(std::size_t consumed, std::string_view text) {
    at_ += consumed;
    out_ += text;
  }

  void escape(bool in_class) {
    if (at_ + 1 >= in_.size()) refuse("a trailing backslash");
    switch (in_[at_ + 1]) {
      case 's':
        return emit(2, "\\p{wspace}");
      case 'S':
        return emit(2, "\\P{wspace}");
      case 'h':
        return emit(2, in_class ? "0-9a-fA-F" : "[0-9a-fA-F]");
      case 'H':
        if (in_class) refuse("\\H in a set");
        return emit(2, "[^0-9a-fA-F]");
      case 'w':
        return emit(2, in_class ? "\\p{L}\\p{M}\\p{N}\\p{Pc}" : "[\\p{L}\\p{M}\\p{N}\\p{Pc}]");
      case 'W':
        if (in_class) refuse("\\W in a set");
        return emit(2, "[^\\p{L}\\p{M}\\p{N}\\p{Pc}]");
      case 'p':
      case 'P':
        return property(in_class);
      default:
        copy(1);
        copy_char();
    }
  }

  void property(bool in_class) {
    const std::size_t close = in_.find('}', at_);
    if (at_ + 2 >= in_.size() || in_[at_ + 2] != '{' || close == std::string_view::npos) {
      refuse("a property without braces");
    }
    const std::string_view name = in_.substr(at_ + 3, close - at_ - 3);
    for (const std::string_view script : kScripts) {
      if (name == script) {
        return emit(close + 1 - at_, fmt::format("{}{{sc:{}}}", in_.substr(at_, 2), name));
      }
    }
    const bool symbols = in_[at_ + 1] == 'p' && (name == "S" || name == "So");
    if (symbols && !in_class) out_ += '[';
    copy(close + 1 - at_);
    if (symbols) out_ += kNewSymbols;
    if (symbols && !in_class) out_ += ']';
  }

  void char_class() {
    copy(1);
    if (at_ < in_.size() && in_[at_] == '^') copy(1);
    if (at_ < in_.size() && in_[at_] == ']') copy(1);
    while (at_ < in_.size() && in_[at_] != ']') {
      if (in_[at_] == '\\') {
        escape(true);
      } else if (in_.substr(at_, 2) == "&&") {
        refuse("a set intersection (&&)");
      } else if (in_[at_] == '[') {
        if (in_.substr(at_, 2) != "[:") refuse("a nested set");
        const std::size_t end = in_.find(":]", at_);
        if (end == std::string_view::npos) refuse("an unclosed [: :]");
        copy(end + 2 - at_);
      } else {
        copy_char();
      }
    }
    if (at_ >= in_.size()) refuse("an unclosed set");
    copy(1);
  }

  void open_group() {
    groups_.push_back(out_.size());
    copy(1);
    if (in_.substr(at_, 1) != "?") return;
    // Flags: in Ruby (?m) lets the dot match newlines, and there is no (?s).
    std::size_t end = at_ + 1;
    while (end < in_.size() &&
           (std::isalpha(static_cast<unsigned char>(in_[end])) || in_[end] == '-')) {
      ++end;
    }
    if (end >= in_.size() || (in_[end] != ':' && in_[end] != ')')) return;
    for (; at_ < end; ++at_) {
      if (in_[at_] == 's') refuse("(?s)");
      out_ += in_[at_] == 'm' ? 's' : in_[at_];
    }
  }

  void close_group() {
    if (groups_.empty()) refuse("an unopened )");
    group_begin_ = groups_.back();
    groups_.pop_back();
    in_after_group_ = true;
    copy(1);
  }

  // X{m,n}+ repeats a greedy group in Oniguruma, but is possessive in PCRE2.
  void interval() {
    if (at_ >= in_.size() || in_[at_] != '{') return;
    const std::size_t close = in_.find('}', at_);
    if (close == std::string_view::npos || close + 1 >= in_.size() || in_[close + 1] != '+') return;
    out_.insert(last_atom_, "(?:");
    copy(close + 1 - at_);
    out_ += ')';
  }

  std::string_view in_;
  const std::string& where_;
  std::string out_;
  std::size_t at_ = 0;
  std::size_t last_atom_ = 0;
  std::size_t group_begin_ = 0;
  bool in_after_group_ = false;
  std::vector<std::size_t> groups_;
};

struct MatchData {
  pcre2_match_data* data = pcre2_match_data_create(1, nullptr);
  MatchData() = default;
  MatchData(const MatchData&) = delete;
  MatchData& operator=(const MatchData&) = delete;
  ~MatchData() { pcre2_match_data_free(data); }
};

}  // namespace

struct Regex::Code {
  pcre2_code* code = nullptr;
  bool jit = false;
  std::string where;
  ~Code() { pcre2_code_free(code); }
};

Regex::Regex(std::unique_ptr<Code> code) : code_(std::move(code)) {}
Regex::~Regex() = default;
Regex::Regex(Regex&&) noexcept = default;
Regex& Regex::operator=(Regex&&) noexcept = default;

std::string rewrite_oniguruma(std::string_view pattern, const std::string& where) {
  return Rewriter(pattern, where).run();
}

Regex Regex::from_oniguruma(std::string_view pattern, const std::string& where) {
  const std::string rewritten = rewrite_oniguruma(pattern, where);
  auto code = std::make_unique<Code>();
  code->where = where;
  int error = 0;
  PCRE2_SIZE offset = 0;
  code->code = pcre2_compile(reinterpret_cast<PCRE2_SPTR>(rewritten.data()), rewritten.size(),
                             PCRE2_UTF | PCRE2_UCP | PCRE2_MULTILINE, &error, &offset, nullptr);
  if (code->code == nullptr) {
    std::array<PCRE2_UCHAR, 200> message{};
    pcre2_get_error_message(error, message.data(), message.size());
    throw FormatError(fmt::format("{}: cannot compile the pattern {} (character {}: {})", where,
                                  pattern, offset, reinterpret_cast<const char*>(message.data())));
  }
  code->jit = pcre2_jit_compile(code->code, PCRE2_JIT_COMPLETE) == 0;
  return Regex(std::move(code));
}

bool Regex::find(std::string_view text, std::size_t from, RegexMatch& match) const {
  thread_local MatchData scratch;
  const auto subject = reinterpret_cast<PCRE2_SPTR>(text.data());
  int result = 0;
  if (code_->jit) {
    result = pcre2_jit_match(code_->code, subject, text.size(), from, PCRE2_NO_UTF_CHECK,
                             scratch.data, nullptr);
  }
  if (!code_->jit || result == PCRE2_ERROR_JIT_STACKLIMIT) {
    result = pcre2_match(code_->code, subject, text.size(), from, PCRE2_NO_UTF_CHECK | PCRE2_NO_JIT,
                         scratch.data, nullptr);
  }
  if (result == PCRE2_ERROR_NOMATCH) return false;
  if (result < 0) {
    throw InputError(
        fmt::format("{}: matching gave up near byte {} of a text of {} bytes (PCRE2 "
                    "error {}); split the text",
                    code_->where, from, text.size(), result));
  }
  const PCRE2_SIZE* ovector = pcre2_get_ovector_pointer(scratch.data);
  match = {ovector[0], ovector[1]};
  return true;
}

}  // namespace aurum::text

#include "text/unicode/char_classes.h"

#include <array>
#include <vector>

#include <unicode/uchar.h>
#include <unicode/uscript.h>

namespace aurum::text {
namespace {

constexpr char32_t kCodePoints = 0x110000;

struct CategoryRange {
  char32_t first, last;
  UCharCategory category;
};

// What Unicode 15.1 and 16 added or changed, for an ICU that is older.
constexpr auto kLu = U_UPPERCASE_LETTER, kLl = U_LOWERCASE_LETTER, kLm = U_MODIFIER_LETTER,
               kLo = U_OTHER_LETTER, kMn = U_NON_SPACING_MARK, kMc = U_COMBINING_SPACING_MARK,
               kNd = U_DECIMAL_DIGIT_NUMBER, kPo = U_OTHER_PUNCTUATION, kPd = U_DASH_PUNCTUATION,
               kSm = U_MATH_SYMBOL, kSo = U_OTHER_SYMBOL;
constexpr auto kNewCategories = std::to_array<CategoryRange>({
    {0x897, 0x897, kMn},     {0x1B4E, 0x1B4F, kPo},   {0x1B7F, 0x1B7F, kPo},
    {0x1C89, 0x1C89, kLu},   {0x1C8A, 0x1C8A, kLl},   {0x2427, 0x2429, kSo},
    {0x2FFC, 0x2FFF, kSo},   {0x31E4, 0x31E5, kSo},   {0x31EF, 0x31EF, kSo},
    {0xA7CB, 0xA7CC, kLu},   {0xA7CD, 0xA7CD, kLl},   {0xA7DA, 0xA7DA, kLu},
    {0xA7DB, 0xA7DB, kLl},   {0xA7DC, 0xA7DC, kLu},   {0x105C0, 0x105F3, kLo},
    {0x10D40, 0x10D49, kNd}, {0x10D4A, 0x10D4D, kLo}, {0x10D4E, 0x10D4E, kLm},
    {0x10D4F, 0x10D4F, kLo}, {0x10D50, 0x10D65, kLu}, {0x10D69, 0x10D6D, kMn},
    {0x10D6E, 0x10D6E, kPd}, {0x10D6F, 0x10D6F, kLm}, {0x10D70, 0x10D85, kLl},
    {0x10D8E, 0x10D8F, kSm}, {0x10EC2, 0x10EC4, kLo}, {0x10EFC, 0x10EFC, kMn},
    {0x11380, 0x11389, kLo}, {0x1138B, 0x1138B, kLo}, {0x1138E, 0x1138E, kLo},
    {0x11390, 0x113B5, kLo}, {0x113B7, 0x113B7, kLo}, {0x113B8, 0x113BA, kMc},
    {0x113BB, 0x113C0, kMn}, {0x113C2, 0x113C2, kMc}, {0x113C5, 0x113C5, kMc},
    {0x113C7, 0x113CA, kMc}, {0x113CC, 0x113CD, kMc}, {0x113CE, 0x113CE, kMn},
    {0x113CF, 0x113CF, kMc}, {0x113D0, 0x113D0, kMn}, {0x113D1, 0x113D1, kLo},
    {0x113D2, 0x113D2, kMn}, {0x113D3, 0x113D3, kLo}, {0x113D4, 0x113D5, kPo},
    {0x113D7, 0x113D8, kPo}, {0x113E1, 0x113E2, kMn}, {0x116D0, 0x116E3, kNd},
    {0x1171E, 0x1171E, kMc}, {0x11BC0, 0x11BE0, kLo}, {0x11BE1, 0x11BE1, kPo},
    {0x11BF0, 0x11BF9, kNd}, {0x11F5A, 0x11F5A, kMn}, {0x13460, 0x143FA, kLo},
    {0x16100, 0x1611D, kLo}, {0x1611E, 0x16129, kMn}, {0x1612A, 0x1612C, kMc},
    {0x1612D, 0x1612F, kMn}, {0x16130, 0x16139, kNd}, {0x16D40, 0x16D42, kLm},
    {0x16D43, 0x16D6A, kLo}, {0x16D6B, 0x16D6C, kLm}, {0x16D6D, 0x16D6F, kPo},
    {0x16D70, 0x16D79, kNd}, {0x18CFF, 0x18CFF, kLo}, {0x1CC00, 0x1CCEF, kSo},
    {0x1CCF0, 0x1CCF9, kNd}, {0x1CD00, 0x1CEB3, kSo}, {0x1E5D0, 0x1E5ED, kLo},
    {0x1E5EE, 0x1E5EF, kMn}, {0x1E5F0, 0x1E5F0, kLo}, {0x1E5F1, 0x1E5FA, kNd},
    {0x1E5FF, 0x1E5FF, kPo}, {0x1F8B2, 0x1F8BB, kSo}, {0x1F8C0, 0x1F8C1, kSo},
    {0x1FA89, 0x1FA89, kSo}, {0x1FA8F, 0x1FA8F, kSo}, {0x1FABE, 0x1FABE, kSo},
    {0x1FAC6, 0x1FAC6, kSo}, {0x1FADC, 0x1FADC, kSo}, {0x1FADF, 0x1FADF, kSo},
    {0x1FAE9, 0x1FAE9, kSo}, {0x1FBCB, 0x1FBEF, kSo}, {0x2EBF0, 0x2EE5D, kLo},
});

std::uint8_t classes_of(UCharCategory category) {
  const auto mask = U_MASK(category);
  std::uint8_t flags = 0;
  const auto add = [&](std::uint32_t group, CharClass flag) {
    if ((mask & group) != 0) flags |= flag;
  };
  add(U_GC_L_MASK, kLetter);
  add(U_GC_M_MASK, kMark);
  add(U_GC_N_MASK, kNumber);
  add(U_GC_P_MASK, kPunctuation);
  add(U_GC_S_MASK, kSymbol);
  add(U_GC_LU_MASK | U_GC_LT_MASK | U_GC_LM_MASK | U_GC_LO_MASK | U_GC_M_MASK, kWordStart);
  add(U_GC_LL_MASK | U_GC_LM_MASK | U_GC_LO_MASK | U_GC_M_MASK, kWordEnd);
  return flags;
}

std::vector<std::uint8_t> make_table() {
  std::vector<std::uint8_t> table(kCodePoints, 0);
  const auto fill = [&](char32_t first, char32_t last, UCharCategory category) {
    for (char32_t c = first; c <= last; ++c) table[c] = classes_of(category);
  };
  u_enumCharTypes(
      [](const void* context, UChar32 start, UChar32 limit, UCharCategory type) -> UBool {
        (*static_cast<const decltype(fill)*>(context))(static_cast<char32_t>(start),
                                                       static_cast<char32_t>(limit) - 1, type);
        return 1;
      },
      &fill);
  for (const CategoryRange& range : kNewCategories) fill(range.first, range.last, range.category);
  for (const char32_t c : U"\t\n\v\f\r \u0085\u00A0\u1680\u2028\u2029\u202F\u205F\u3000") {
    if (c != 0) table[c] |= kWhiteSpace;
  }
  for (char32_t c = 0x2000; c <= 0x200A; ++c) table[c] |= kWhiteSpace;
  return table;
}

// The version of Unicode that a character came with; large for unassigned ones.
int age_of(char32_t c) {
  UVersionInfo age;
  u_charAge(static_cast<UChar32>(c), age);
  return age[0] == 0 ? 255 : age[0];
}

std::uint32_t category_mask(char32_t c) { return U_GET_GC_MASK(static_cast<UChar32>(c)); }

bool in(char32_t c, char32_t first, char32_t last) { return c >= first && c <= last; }

}  // namespace

const std::uint8_t* char_class_table() {
  static const std::vector<std::uint8_t> table = make_table();
  return table.data();
}

bool is_word_char(char32_t c) {
  constexpr auto kOthers = U_GC_PC_MASK | U_GC_ND_MASK | U_GC_NL_MASK;
  if ((char_classes(c) & (kLetter | kMark)) != 0) return true;
  if ((category_mask(c) & kOthers) != 0 || in(c, 0x200C, 0x200D)) return true;
  // Circled and squared letters are alphabetic symbols.
  if (in(c, 0x24B6, 0x24E9) || in(c, 0x1F130, 0x1F149) || in(c, 0x1F150, 0x1F169)) return true;
  if (in(c, 0x1F170, 0x1F189)) return true;
  // Among the numbers newer than ICU's tables, all are decimal digits.
  return (char_classes(c) & kNumber) != 0 && category_mask(c) == U_GC_CN_MASK;
}

bool is_numeric(char32_t c) {
  return (char_classes(c) & kNumber) != 0 || in(c, 0x11DE0, 0x11DE9) || in(c, 0x16FF4, 0x16FF6);
}

bool is_punctuation(char32_t c) {
  if (c < 0x80) return in(c, '!', '/') || in(c, ':', '@') || in(c, '[', '`') || in(c, '{', '~');
  if (c == 0x166D || c == 0x111C9) return true;  // symbols and marks since
  return (char_classes(c) & kPunctuation) != 0 && age_of(c) <= 8;
}

bool is_mark(char32_t c) {
  if (in(c, 0x1CF2, 0x1CF3)) return true;  // letters since
  if (c == 0x111C9) return false;          // punctuation then
  return (char_classes(c) & kMark) != 0 && age_of(c) <= 9;
}

bool is_nonspacing_mark(char32_t c) {
  if (c == 0x1734 || c == 0x1171E) return true;  // spacing marks since
  // Letters, a spacing mark and punctuation then.
  if (in(c, 0x1885, 0x1886) || c == 0xA9BD || c == 0x111C9) return false;
  return (category_mask(c) & U_GC_MN_MASK) != 0 && age_of(c) <= 8;
}

bool is_control(char32_t c) {
  return (category_mask(c) & (U_GC_CC_MASK | U_GC_CF_MASK | U_GC_CO_MASK)) != 0 && age_of(c) <= 8;
}

char32_t to_lower(char32_t c) {
  struct Shift {
    char32_t first, last;
    std::int32_t distance;
  };
  // Newer than ICU 72.
  static constexpr auto kShifts = std::to_array<Shift>({{0x1C89, 0x1C89, 1},
                                                        {0xA7CB, 0xA7CB, 0x264 - 0xA7CB},
                                                        {0xA7CC, 0xA7CC, 1},
                                                        {0xA7CE, 0xA7CE, 1},
                                                        {0xA7D2, 0xA7D2, 1},
                                                        {0xA7D4, 0xA7D4, 1},
                                                        {0xA7DA, 0xA7DA, 1},
                                                        {0xA7DC, 0xA7DC, 0x19B - 0xA7DC},
                                                        {0x10D50, 0x10D65, 0x20},
                                                        {0x16EA0, 0x16EB8, 0x1B}});
  if (c < 0x80) return in(c, 'A', 'Z') ? c + 32 : c;
  for (const Shift& shift : kShifts) {
    if (in(c, shift.first, shift.last)) {
      return static_cast<char32_t>(static_cast<std::int32_t>(c) + shift.distance);
    }
  }
  return static_cast<char32_t>(u_tolower(static_cast<UChar32>(c)));
}

int script_of(char32_t c) {
  if (age_of(c) > 9) return 0;
  UErrorCode error = U_ZERO_ERROR;
  const UScriptCode script = uscript_getScript(static_cast<UChar32>(c), &error);
  return script == USCRIPT_UNKNOWN || U_FAILURE(error) ? 0 : static_cast<int>(script) + 1;
}

}  // namespace aurum::text

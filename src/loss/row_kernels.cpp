#include "loss/row_kernels.h"

#include <algorithm>

// This file is compiled once per instruction set, by including itself.
// foreach_target.h must come first.
// clang-format off
#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "loss/row_kernels.cpp"
#include <hwy/foreach_target.h>
#include <hwy/highway.h>
#include <hwy/contrib/math/math-inl.h>
// clang-format on

HWY_BEFORE_NAMESPACE();
namespace aurum::loss {
namespace HWY_NAMESPACE {

namespace hn = hwy::HWY_NAMESPACE;
using F = hn::ScalableTag<float>;
using I = hn::RebindToSigned<F>;
using U = hn::RebindToUnsigned<F>;
using VF = hn::Vec<F>;

constexpr float kFloor = 1e-8F;               // of matched probabilities
constexpr float kTiny = 1e-37F;               // keeps logarithms of nothing finite
constexpr std::int64_t kFlushColumns = 2048;  // columns summed in float32 before float64

// Sums vectors in float32 over a stretch of columns, stretches in float64.
class Sum {
 public:
  HWY_INLINE Sum() : part_(hn::Zero(F())), total_(0.0) {}
  HWY_INLINE void add(VF value) { part_ = hn::Add(part_, value); }
  HWY_INLINE void flush() {
    total_ += static_cast<double>(hn::GetLane(hn::SumOfLanes(F(), part_)));
    part_ = hn::Zero(F());
  }
  HWY_INLINE double total() const { return total_; }

 private:
  VF part_;
  double total_;
};

// Calls body(k) for every vector of columns and flush() after each stretch.
template <typename Body, typename Flush>
HWY_INLINE void for_columns(std::int64_t size, Body body, Flush flush) {
  const auto step = static_cast<std::int64_t>(hn::Lanes(F()));
  for (std::int64_t begin = 0; begin < size; begin += kFlushColumns) {
    const std::int64_t end = std::min(size, begin + kFlushColumns);
    for (std::int64_t k = begin; k < end; k += step) body(k);
    flush();
  }
}

float RowMax(const float* row, std::int64_t size) {
  const F d;
  const auto step = static_cast<std::int64_t>(hn::Lanes(d));
  VF most = hn::Set(d, row[0]);
  std::int64_t k = 0;
  for (; k + step <= size; k += step) most = hn::Max(most, hn::LoadU(d, row + k));
  float result = hn::GetLane(hn::MaxOfLanes(d, most));
  for (; k < size; ++k) result = std::max(result, row[k]);
  return result;
}

template <bool kStore>
HWY_INLINE double Exponentials(const float* row, float* out, std::int64_t size, float max,
                               float inverse_temperature) {
  const F d;
  const VF shift = hn::Set(d, max), factor = hn::Set(d, inverse_temperature);
  Sum sum;
  for_columns(
      size,
      [&](std::int64_t k) HWY_ATTR {
        const VF e = hn::Exp(d, hn::Mul(hn::Sub(hn::LoadU(d, row + k), shift), factor));
        if (kStore) hn::StoreU(e, d, out + k);
        sum.add(e);
      },
      [&]() HWY_ATTR { sum.flush(); });
  return sum.total();
}

double SumExponentials(const float* row, std::int64_t size, float max, float inverse_temperature) {
  return Exponentials<false>(row, nullptr, size, max, inverse_temperature);
}

double ExponentialsInPlace(float* row, std::int64_t size, float max, float inverse_temperature) {
  return Exponentials<true>(row, row, size, max, inverse_temperature);
}

// tanh x = 1 - 2 / (exp 2x + 1); exact to the rounding of 1, which is enough for a logit.
void CapLogits(float* row, std::int64_t size, float cap) {
  const F d;
  const VF limit = hn::Set(d, cap), twice = hn::Set(d, 2.0F / cap), one = hn::Set(d, 1.0F);
  const VF most = hn::Set(d, 80.0F);
  for_columns(
      size,
      [&](std::int64_t k) HWY_ATTR {
        const VF x = hn::Min(hn::Mul(hn::LoadU(d, row + k), twice), most);
        const VF tanh = hn::Sub(one, hn::Div(hn::Set(d, 2.0F), hn::Add(hn::Exp(d, x), one)));
        hn::StoreU(hn::Mul(tanh, limit), d, row + k);
      },
      []() HWY_ATTR {});
}

void UncapGradient(float* gradient, const float* exponentials, std::int64_t size, float max,
                   float temperature, float cap) {
  const F d;
  const VF one = hn::Set(d, 1.0F), tiny = hn::Set(d, kTiny);
  const VF slope = hn::Set(d, temperature / cap), at_max = hn::Set(d, max / cap);
  for_columns(
      size,
      [&](std::int64_t k) HWY_ATTR {
        const VF e = hn::Max(hn::LoadU(d, exponentials + k), tiny);
        const VF tanh = hn::MulAdd(hn::Log(d, e), slope, at_max);
        const VF factor = hn::NegMulAdd(tanh, tanh, one);
        hn::StoreU(hn::Mul(hn::LoadU(d, gradient + k), factor), d, gradient + k);
      },
      []() HWY_ATTR {});
}

// The factor comes last: where weighted = -scale * exponential the result is zero, not a rounding.
void Combine(const float* weighted, const float* exponentials, float scale, float factor,
             std::int64_t size, float* out) {
  const F d;
  const VF a = hn::Set(d, scale), b = hn::Set(d, factor);
  for_columns(
      size,
      [&](std::int64_t k) HWY_ATTR {
        const VF e = hn::LoadU(d, exponentials + k);
        const VF sum =
            weighted == nullptr ? hn::Mul(e, a) : hn::MulAdd(e, a, hn::LoadU(d, weighted + k));
        hn::StoreU(hn::Mul(sum, b), d, out + k);
      },
      []() HWY_ATTR {});
}

// Rounds to nearest even in integers; the values are finite.
HWY_INLINE hn::Vec<U> RoundToBf16(hn::Vec<U> bits) {
  const U d;
  const auto odd = hn::And(hn::ShiftRight<16>(bits), hn::Set(d, 1));
  return hn::ShiftRight<16>(hn::Add(bits, hn::Add(odd, hn::Set(d, 0x7fff))));
}

void SplitIntoPairs(const float* values, std::int64_t size, kernels::Pair* pairs) {
  const F d;
  const U du;
  for_columns(
      size,
      [&](std::int64_t k) HWY_ATTR {
        const VF value = hn::LoadU(d, values + k);
        const auto up = RoundToBf16(hn::BitCast(du, value));
        const VF rest = hn::Sub(value, hn::BitCast(d, hn::ShiftLeft<16>(up)));
        const auto low = RoundToBf16(hn::BitCast(du, rest));
        hn::StoreU(hn::Or(up, hn::ShiftLeft<16>(low)), du, pairs + k);
      },
      []() HWY_ATTR {});
}

struct Divergence {
  VF value, slope;  // f(p, q) and df/dp
};

// Logarithms of ratios rather than differences of logarithms: exact where p and q agree.
enum class Kind { kForward, kReverse, kMixture };
template <Kind kKind>
HWY_INLINE Divergence Diverge(VF p, VF q, VF beta) {
  const F d;
  if (kKind == Kind::kForward) {
    const VF ratio = hn::Div(q, p);
    return {hn::Mul(q, hn::Log(d, ratio)), hn::Neg(ratio)};
  }
  if (kKind == Kind::kReverse) {
    const VF log_ratio = hn::Log(d, hn::Div(p, q));
    return {hn::Mul(p, log_ratio), hn::Add(log_ratio, hn::Set(d, 1.0F))};
  }
  const VF rest = hn::Sub(hn::Set(d, 1.0F), beta);
  const VF inverse = hn::Div(hn::Set(d, 1.0F), hn::MulAdd(beta, q, hn::Mul(rest, p)));
  const VF log_p = hn::Log(d, hn::Mul(p, inverse)), log_q = hn::Log(d, hn::Mul(q, inverse));
  const VF slope = hn::Mul(rest, log_p);
  return {hn::MulAdd(hn::Mul(beta, q), log_q, hn::Mul(slope, p)), slope};
}

template <Kind kKind>
HWY_INLINE ColumnSums MatchedJsdOf(const ScaledRow& student, const ScaledRow& teacher,
                                   const std::int32_t* partner, double beta, float weight,
                                   float* weighted) {
  const F d;
  const I di;
  const VF student_scale = hn::Set(d, student.scale), teacher_scale = hn::Set(d, teacher.scale);
  const VF floor = hn::Set(d, kFloor), factor = hn::Set(d, weight);
  const VF b = hn::Set(d, static_cast<float>(beta));
  Sum value, slope;
  for_columns(
      padded(student.size),
      [&](std::int64_t k) HWY_ATTR {
        const auto column = hn::LoadU(di, partner + k);
        const auto matched = hn::Gt(column, hn::Set(di, -1));
        if (hn::AllFalse(di, matched)) {
          if (weighted != nullptr) hn::StoreU(hn::Zero(d), d, weighted + k);
          return;
        }
        const VF p = hn::Mul(hn::LoadU(d, student.exponentials + k), student_scale);
        const VF q = hn::Mul(
            hn::GatherIndex(d, teacher.exponentials, hn::Max(column, hn::Zero(di))), teacher_scale);
        const auto f = Diverge<kKind>(hn::Max(p, floor), hn::Max(q, floor), b);
        const auto counts = hn::RebindMask(d, matched);
        value.add(hn::IfThenElseZero(counts, f.value));
        const auto moves = hn::And(counts, hn::Ge(p, floor));
        const VF g = hn::IfThenElseZero(moves, hn::Mul(hn::Mul(p, f.slope), factor));
        slope.add(g);
        if (weighted != nullptr) hn::StoreU(g, d, weighted + k);
      },
      [&]() HWY_ATTR {
        value.flush();
        slope.flush();
      });
  return {value.total(), slope.total()};
}

ColumnSums MatchedJsd(const ScaledRow& student, const ScaledRow& teacher,
                      const std::int32_t* partner, double beta, float weight, float* weighted) {
  if (beta == 0.0) {
    return MatchedJsdOf<Kind::kForward>(student, teacher, partner, beta, weight, weighted);
  }
  if (beta == 1.0) {
    return MatchedJsdOf<Kind::kReverse>(student, teacher, partner, beta, weight, weighted);
  }
  return MatchedJsdOf<Kind::kMixture>(student, teacher, partner, beta, weight, weighted);
}

// value and dvalue/dlog p of one column. Probabilities that vanish in float32 add nothing.
template <Kind kKind>
HWY_INLINE Divergence DivergeLogs(VF p, VF q, VF log_p, VF log_q, VF beta) {
  const F d;
  if (kKind == Kind::kForward) return {hn::Mul(q, hn::Sub(log_q, log_p)), hn::Neg(q)};
  if (kKind == Kind::kReverse) {
    const VF value = hn::Mul(p, hn::Sub(log_p, log_q));
    return {value, hn::Add(value, p)};
  }
  const VF rest = hn::Sub(hn::Set(d, 1.0F), beta), tiny = hn::Set(d, kTiny);
  const VF inverse =
      hn::Div(hn::Set(d, 1.0F), hn::Max(hn::MulAdd(beta, q, hn::Mul(rest, p)), tiny));
  const VF ratio_p = hn::Log(d, hn::Max(hn::Mul(p, inverse), tiny));
  const VF ratio_q = hn::Log(d, hn::Max(hn::Mul(q, inverse), tiny));
  const VF slope = hn::Mul(hn::Mul(rest, p), ratio_p);
  return {hn::MulAdd(hn::Mul(beta, q), ratio_q, slope), slope};
}

template <Kind kKind>
HWY_INLINE ColumnSums SharedJsdOf(const LogitRow& student, const LogitRow& teacher,
                                  std::int64_t size, float inverse_temperature, double beta,
                                  float weight, float* weighted) {
  const F d;
  const VF inverse = hn::Set(d, inverse_temperature), factor = hn::Set(d, weight);
  const VF b = hn::Set(d, static_cast<float>(beta));
  const auto log_prob = [&](const LogitRow& row, std::int64_t k) HWY_ATTR {
    const VF shifted = hn::Sub(hn::LoadU(d, row.logits + k), hn::Set(d, row.max));
    return hn::Sub(hn::Mul(shifted, inverse), hn::Set(d, row.log_sum));
  };
  Sum value, slope;
  for_columns(
      padded(size),
      [&](std::int64_t k) HWY_ATTR {
        const VF log_p = log_prob(student, k), log_q = log_prob(teacher, k);
        const VF p = hn::Exp(d, log_p), q = hn::Exp(d, log_q);
        const auto f = DivergeLogs<kKind>(p, q, log_p, log_q, b);
        const VF g = hn::Mul(f.slope, factor);
        value.add(f.value);
        slope.add(g);
        hn::StoreU(p, d, student.logits + k);
        if (weighted != nullptr) hn::StoreU(g, d, weighted + k);
      },
      [&]() HWY_ATTR {
        value.flush();
        slope.flush();
      });
  return {value.total(), slope.total()};
}

ColumnSums SharedJsd(const LogitRow& student, const LogitRow& teacher, std::int64_t size,
                     float inverse_temperature, double beta, float weight, float* weighted) {
  const auto run = [&]<Kind kKind>() HWY_ATTR {
    return SharedJsdOf<kKind>(student, teacher, size, inverse_temperature, beta, weight, weighted);
  };
  if (beta == 0.0) return run.template operator()<Kind::kForward>();
  if (beta == 1.0) return run.template operator()<Kind::kReverse>();
  return run.template operator()<Kind::kMixture>();
}

// The probabilities of columns k.., zero where a column has a partner.
HWY_INLINE VF RestProbs(const ScaledRow& row, VF scale, const std::int32_t* partner,
                        std::int64_t k) {
  const F d;
  const I di;
  const VF p = hn::Mul(hn::LoadU(d, row.exponentials + k), scale);
  if (partner == nullptr) return p;
  return hn::IfThenZeroElse(hn::RebindMask(d, hn::Gt(hn::LoadU(di, partner + k), hn::Set(di, -1))),
                            p);
}

// Whatever a broken model gives, NaN too, falls into some bucket.
HWY_INLINE hn::Vec<I> BucketOf(VF p) {
  const I di;
  const auto bucket = hn::BitCast(di, hn::ShiftRight<kBucketShift>(hn::BitCast(U(), p)));
  return hn::Min(bucket, hn::Set(di, static_cast<std::int32_t>(kNumBuckets - 1)));
}

void CountBuckets(const ScaledRow& row, const std::int32_t* partner, std::uint32_t* counts) {
  const F d;
  const U du;
  const VF scale = hn::Set(d, row.scale);
  const std::size_t lanes = hn::Lanes(d);
  HWY_ALIGN std::uint32_t buckets[hn::MaxLanes(d)];
  for_columns(
      padded(row.size),
      [&](std::int64_t k) HWY_ATTR {
        const VF p = RestProbs(row, scale, partner, k);
        hn::Store(hn::BitCast(du, BucketOf(p)), du, buckets);
        for (std::size_t lane = 0; lane < lanes; ++lane) {
          ++counts[(lane % kCountLanes) * kNumBuckets + buckets[lane]];
        }
      },
      []() HWY_ATTR {});
}

double ApplySigns(const ScaledRow& row, const std::int32_t* partner, const float* sign,
                  float weight, float* weighted, std::uint64_t* mixed, std::int64_t& num_mixed) {
  const F d;
  const VF scale = hn::Set(d, row.scale), factor = hn::Set(d, weight);
  const std::size_t lanes = hn::Lanes(d);
  HWY_ALIGN std::uint32_t bits[hn::MaxLanes(d)];
  HWY_ALIGN float signs[hn::MaxLanes(d)];
  Sum sum;
  for_columns(
      padded(row.size),
      [&](std::int64_t k) HWY_ATTR {
        const VF p = RestProbs(row, scale, partner, k);
        const VF s = hn::GatherIndex(d, sign, BucketOf(p));
        const auto is_mixed = hn::Eq(s, hn::Set(d, kMixedSign));
        // p - p keeps a NaN in the sum.
        const VF signed_p = hn::IfThenElse(is_mixed, hn::Sub(p, p), hn::Mul(s, p));
        sum.add(signed_p);
        if (weighted != nullptr) {
          hn::StoreU(hn::MulAdd(signed_p, factor, hn::LoadU(d, weighted + k)), d, weighted + k);
        }
        // Zeros are padding or matched columns; they change no sum.
        if (hn::AllFalse(d, hn::And(is_mixed, hn::Gt(p, hn::Zero(d))))) return;
        hn::Store(hn::BitCast(U(), p), U(), bits);
        hn::Store(s, d, signs);
        for (std::size_t lane = 0; lane < lanes; ++lane) {
          if (signs[lane] != kMixedSign || bits[lane] == 0) continue;
          mixed[num_mixed++] = std::uint64_t{bits[lane]} << 32 |
                               static_cast<std::uint64_t>(k + static_cast<std::int64_t>(lane));
        }
      },
      [&]() HWY_ATTR { sum.flush(); });
  return sum.total();
}

}  // namespace HWY_NAMESPACE
}  // namespace aurum::loss
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace aurum::loss {

HWY_EXPORT(RowMax);
HWY_EXPORT(SumExponentials);
HWY_EXPORT(ExponentialsInPlace);
HWY_EXPORT(CapLogits);
HWY_EXPORT(UncapGradient);
HWY_EXPORT(Combine);
HWY_EXPORT(SplitIntoPairs);
HWY_EXPORT(MatchedJsd);
HWY_EXPORT(SharedJsd);
HWY_EXPORT(CountBuckets);
HWY_EXPORT(ApplySigns);

float row_max(const float* row, std::int64_t size) {
  return HWY_DYNAMIC_DISPATCH(RowMax)(row, size);
}

double sum_exponentials(const float* row, std::int64_t size, float max, float inverse_temperature) {
  return HWY_DYNAMIC_DISPATCH(SumExponentials)(row, padded(size), max, inverse_temperature);
}

double exponentials_in_place(float* row, std::int64_t size, float max, float inverse_temperature) {
  return HWY_DYNAMIC_DISPATCH(ExponentialsInPlace)(row, padded(size), max, inverse_temperature);
}

void cap_logits(float* row, std::int64_t size, float cap) {
  HWY_DYNAMIC_DISPATCH(CapLogits)(row, padded(size), cap);
}

void uncap_gradient(float* gradient, const float* exponentials, std::int64_t size, float max,
                    float temperature, float cap) {
  HWY_DYNAMIC_DISPATCH(UncapGradient)(gradient, exponentials, padded(size), max, temperature, cap);
}

void combine(const float* weighted, const float* exponentials, float scale, float factor,
             std::int64_t size, float* out) {
  HWY_DYNAMIC_DISPATCH(Combine)(weighted, exponentials, scale, factor, padded(size), out);
}

void split_into_pairs(const float* values, std::int64_t size, kernels::Pair* pairs) {
  HWY_DYNAMIC_DISPATCH(SplitIntoPairs)(values, padded(size), pairs);
}

ColumnSums matched_jsd(const ScaledRow& student, const ScaledRow& teacher,
                       const std::int32_t* partner, double beta, float weight, float* weighted) {
  return HWY_DYNAMIC_DISPATCH(MatchedJsd)(student, teacher, partner, beta, weight, weighted);
}

ColumnSums shared_jsd(const LogitRow& student, const LogitRow& teacher, std::int64_t size,
                      float inverse_temperature, double beta, float weight, float* weighted) {
  return HWY_DYNAMIC_DISPATCH(SharedJsd)(student, teacher, size, inverse_temperature, beta, weight,
                                         weighted);
}

void count_buckets(const ScaledRow& row, const std::int32_t* partner, std::uint32_t* counts) {
  HWY_DYNAMIC_DISPATCH(CountBuckets)(row, partner, counts);
}

double apply_signs(const ScaledRow& row, const std::int32_t* partner, const float* sign,
                   float weight, float* weighted, std::uint64_t* mixed, std::int64_t& num_mixed) {
  return HWY_DYNAMIC_DISPATCH(ApplySigns)(row, partner, sign, weight, weighted, mixed, num_mixed);
}

}  // namespace aurum::loss
#endif  // HWY_ONCE

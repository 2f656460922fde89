#include "cli/loss_inputs.h"

#include <algorithm>
#include <charconv>
#include <cstring>

#include <ATen/ATen.h>
#include <fmt/ranges.h>

#include "base/error.h"
#include "weights/checkpoint.h"

namespace aurum::cli {

namespace {

using weights::DType;
using weights::TensorView;
using Shape = std::vector<std::int64_t>;

constexpr std::int64_t kAny = -1;  // a size that the caller does not know yet

class Reader {
 public:
  Reader(const std::string& path, at::ScalarType arithmetic)
      : path_(path), file_(weights::SafetensorsFile::open(path)), arithmetic_(arithmetic) {}

  [[noreturn]] void fail(const std::string& tensor, const std::string& problem) const {
    throw FormatError(fmt::format("{}: tensor {} {}", path_, tensor, problem));
  }

  bool contains(const std::string& name) const { return file_->find(name) != nullptr; }

  // 1 + the largest i of any tensor named <word>.<i>.
  std::int64_t num_rows() const {
    std::int64_t rows = 0;
    for (const TensorView& tensor : file_->tensors()) {
      const std::size_t dot = tensor.name.rfind('.');
      if (dot == std::string::npos) continue;
      std::int64_t index = 0;
      const char* end = tensor.name.data() + tensor.name.size();
      const auto parsed = std::from_chars(tensor.name.data() + dot + 1, end, index);
      if (parsed.ec == std::errc() && parsed.ptr == end && index >= rows && index < INT32_MAX) {
        rows = index + 1;
      }
    }
    return std::max<std::int64_t>(rows, 1);  // no row at all: row 0 is what is missing
  }

  // float32, float64 or bfloat16 [shape], all finite.
  at::Tensor floats(const std::string& name, const Shape& shape) const {
    const TensorView& view = find(name, shape);
    at::ScalarType type = at::kFloat;
    if (view.dtype == DType::kFloat64) {
      type = at::kDouble;
    } else if (view.dtype == DType::kBFloat16) {
      type = at::kBFloat16;
    } else if (view.dtype != DType::kFloat32) {
      fail_dtype(view, "F32, F64 or BF16");
    }
    const at::Tensor tensor = copy(view, type);
    check_finite(name, tensor.view({-1}));
    return tensor;
  }

  // A stretch at a time: a head may be large.
  void check_finite(const std::string& name, const at::Tensor& values) const {
    constexpr std::int64_t kStretch = 1 << 20;
    for (std::int64_t begin = 0; begin < values.numel(); begin += kStretch) {
      const at::Tensor stretch = values.slice(0, begin, std::min(values.numel(), begin + kStretch));
      if (stretch.to(arithmetic_).isfinite().all().item<bool>()) continue;
      fail(name, "holds values that are not finite; look at what the model computed");
    }
  }

  std::vector<std::int64_t> integers(const std::string& name, const Shape& shape) const {
    const TensorView& view = find(name, shape);
    if (view.dtype != DType::kInt64 && view.num_values() > 0) fail_dtype(view, "I64");
    std::vector<std::int64_t> values(static_cast<std::size_t>(view.num_values()));
    if (!values.empty()) std::memcpy(values.data(), view.bytes.data(), view.bytes.size());
    return values;
  }

  bool flag(const std::string& name) const {
    const TensorView& view = find(name, {});
    if (view.dtype != DType::kUInt8 && view.dtype != DType::kBool) fail_dtype(view, "U8");
    const int value = std::to_integer<int>(view.bytes[0]);
    if (value > 1) fail(name, fmt::format("must be 0 or 1, found {}", value));
    return value == 1;
  }

 private:
  const TensorView& find(const std::string& name, const Shape& shape) const {
    const TensorView* view = file_->find(name);
    if (view == nullptr) fail(name, "is missing");
    bool fits = view->shape.size() == shape.size();
    for (std::size_t i = 0; fits && i < shape.size(); ++i) {
      fits = shape[i] == kAny || shape[i] == view->shape[i];
    }
    if (!fits) {
      std::string wanted;
      for (const std::int64_t size : shape) {
        wanted += (wanted.empty() ? "" : ", ") + (size == kAny ? "any" : std::to_string(size));
      }
      fail(name, fmt::format("must have the shape [{}], found [{}]", wanted,
                             fmt::join(view->shape, ", ")));
    }
    return *view;
  }

  [[noreturn]] void fail_dtype(const TensorView& view, const char* wanted) const {
    fail(view.name,
         fmt::format("must be of type {}, found {}", wanted, weights::dtype_name(view.dtype)));
  }

  static at::Tensor copy(const TensorView& view, at::ScalarType type) {
    at::Tensor tensor = at::empty(view.shape, type);
    if (tensor.numel() > 0) {
      std::memcpy(tensor.mutable_data_ptr(), view.bytes.data(), view.bytes.size());
    }
    return tensor;
  }

  std::string path_;
  std::shared_ptr<const weights::SafetensorsFile> file_;
  at::ScalarType arithmetic_;
};

// Reads row i of the logits, or of the hidden states where the side has a head.
void read_values(const Reader& reader, const std::string& side, const std::string& i,
                 LossInputSide& out) {
  const std::string logits = side + "_logits." + i, hidden = side + "_hidden." + i;
  if (reader.contains(logits) && reader.contains(hidden)) {
    reader.fail(hidden, fmt::format("and {} exclude each other; keep one", logits));
  }
  if (i == "0" && !reader.contains(logits)) {
    // Neither form is there: the simpler one is what is missing.
    if (!reader.contains(hidden)) (void)reader.floats(logits, {kAny, kAny});
    out.head = reader.floats(side + "_head", {kAny, kAny});
  }
  if (out.head.defined()) {
    out.rows.push_back(reader.floats(hidden, {kAny, out.head.size(1)}));
    out.vocab = out.head.size(0);
  } else {
    out.rows.push_back(reader.floats(logits, {kAny, out.vocab > 0 ? out.vocab : kAny}));
    out.vocab = out.rows.back().size(1);
  }
  if (out.vocab < 1) reader.fail(out.head.defined() ? side + "_head" : logits, "has no columns");
}

void read_spans(const Reader& reader, const std::string& name, loss::RowSide& row) {
  const auto size = static_cast<std::int64_t>(row.ids.size());
  const auto spans = reader.integers(name, {size, 2});
  std::int64_t last = 0;
  for (std::size_t p = 0; p < row.ids.size(); ++p) {
    if (!row.is_completion[p]) continue;
    const std::int64_t begin = spans[2 * p], end = spans[2 * p + 1];
    if (begin < last || end < begin) {
      reader.fail(name,
                  fmt::format("is not in text order: position {} is [{}, {}) after byte {}; spans "
                              "must be monotone",
                              p, begin, end, last));
    }
    last = end;
    row.spans[p] = {begin, end};
  }
}

// `width` is the number of columns that count: ids of the completion must lie below it.
loss::RowSide read_side(const Reader& reader, const std::string& side, const std::string& i,
                        std::int64_t size, std::int64_t vocab, std::int64_t width,
                        const loss::LossConfig& config) {
  loss::RowSide row;
  const std::string ids_name = side + "_ids." + i, labels_name = side + "_labels." + i;
  const auto ids = reader.integers(ids_name, {size});
  const auto labels = reader.integers(labels_name, {size});
  for (std::size_t p = 0; p < ids.size(); ++p) {
    const bool counts = labels[p] != -100;
    const std::int64_t limit = counts ? width : vocab;
    if (ids[p] < 0 || ids[p] >= limit) {
      reader.fail(ids_name, fmt::format("at {} must be in [0, {}), found {}", p, limit, ids[p]));
    }
    if (counts && labels[p] != ids[p]) {
      reader.fail(labels_name,
                  fmt::format("at {} must be -100 or the id {}, found {}", p, ids[p], labels[p]));
    }
    row.ids.push_back(static_cast<std::int32_t>(ids[p]));
    row.is_completion.push_back(counts);
  }
  row.spans.resize(row.ids.size());
  const std::string spans_name = side + "_spans." + i, eos_name = side + "_eos." + i;
  const bool needs_text = config.use_uld_loss && !config.sequence_level;
  if (needs_text && config.use_extended_uld) read_spans(reader, spans_name, row);
  if (needs_text || reader.contains(eos_name)) row.ends_with_eos = reader.flag(eos_name);
  if (row.ends_with_eos && (row.ids.empty() || !row.is_completion.back())) {
    reader.fail(eos_name, "is 1, but the row's last token is no completion token");
  }
  return row;
}

std::int64_t read_vocab_size(const Reader& reader, const std::string& name, std::int64_t vocab) {
  if (!reader.contains(name)) return vocab;
  const std::int64_t size = reader.integers(name, {}).front();
  if (size < 1 || size > vocab) {
    reader.fail(name, fmt::format("must be in [1, {}], found {}", vocab, size));
  }
  return size;
}

void read_matched(const Reader& reader, std::int64_t student_width, std::int64_t teacher_width,
                  loss::VocabularyPair& vocabulary) {
  const char* name = "matched_ids";
  const auto ids = reader.integers(name, {kAny, 2});
  std::vector<bool> student_taken(static_cast<std::size_t>(student_width));
  std::vector<bool> teacher_taken(static_cast<std::size_t>(teacher_width));
  for (std::size_t i = 0; i < ids.size(); i += 2) {
    const std::int64_t s = ids[i], t = ids[i + 1];
    if (s < 0 || t < 0 || s >= student_width || t >= teacher_width) {
      reader.fail(name, fmt::format("has the pair ({}, {}) outside the vocabularies of {} and {}",
                                    s, t, student_width, teacher_width));
    }
    if (student_taken[static_cast<std::size_t>(s)] || teacher_taken[static_cast<std::size_t>(t)]) {
      reader.fail(name, fmt::format("pairs an id of ({}, {}) twice; pairs are one to one", s, t));
    }
    student_taken[static_cast<std::size_t>(s)] = teacher_taken[static_cast<std::size_t>(t)] = true;
    vocabulary.matched.emplace_back(static_cast<std::int32_t>(s), static_cast<std::int32_t>(t));
  }
}

}  // namespace

LossInputs read_loss_inputs(const std::string& path, const loss::LossConfig& config,
                            at::ScalarType arithmetic) {
  const Reader reader(path, arithmetic);
  const std::int64_t num_rows = reader.num_rows();
  LossInputs inputs;
  for (std::int64_t i = 0; i < num_rows; ++i) {
    read_values(reader, "student", std::to_string(i), inputs.student);
    if (!config.sequence_level) read_values(reader, "teacher", std::to_string(i), inputs.teacher);
  }
  const std::int64_t student_vocab = inputs.student.vocab, teacher_vocab = inputs.teacher.vocab;
  loss::VocabularyPair& vocabulary = inputs.vocabulary;
  vocabulary.student_size = read_vocab_size(reader, "student_vocab_size", student_vocab);
  if (!config.sequence_level) {
    vocabulary.teacher_size = read_vocab_size(reader, "teacher_vocab_size", teacher_vocab);
  }
  // Every column counts for TRL; JSD reads no probability of a given id.
  const bool reads_ids = config.use_uld_loss || config.sequence_level;
  const bool all = config.compat_trl || !reads_ids;
  const std::int64_t student_width = all ? student_vocab : vocabulary.student_size;
  const std::int64_t teacher_width = all ? teacher_vocab : vocabulary.teacher_size;
  if (config.use_uld_loss && config.hybrid && !config.sequence_level) {
    read_matched(reader, student_width, teacher_width, vocabulary);
  }
  for (std::int64_t i = 0; i < num_rows; ++i) {
    const auto at = static_cast<std::size_t>(i);
    const std::string index = std::to_string(i);
    loss::Row row{.student = read_side(reader, "student", index, inputs.student.rows[at].size(0),
                                       student_vocab, student_width, config)};
    if (!config.sequence_level) {
      row.teacher = read_side(reader, "teacher", index, inputs.teacher.rows[at].size(0),
                              teacher_vocab, teacher_width, config);
    }
    inputs.rows.push_back(std::move(row));
  }
  return inputs;
}

}  // namespace aurum::cli

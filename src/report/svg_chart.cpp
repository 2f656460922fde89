#include "report/svg_chart.h"

#include <algorithm>
#include <cmath>
#include <limits>

#include <fmt/format.h>

namespace aurum::report {

namespace {

constexpr double kWidth = 720, kHeight = 260;
constexpr double kLeft = 56, kRight = 12, kTop = 10, kBottom = 34;
// More points than pixels only make the page heavy.
constexpr std::size_t kMaxPoints = 600;
// Up to here every point is drawn as a dot whose tooltip tells its value.
constexpr std::size_t kMaxDots = 120;
constexpr std::size_t kNumColors = 7;
constexpr double kSmallestWidth = 1e-12;
// Past this the difference of two values could overflow, so it counts as infinite.
constexpr double kLargestValue = 1e305;

bool is_finite(double value) { return std::abs(value) < kLargestValue; }
bool is_finite_point(const Point& point) { return is_finite(point.x) && is_finite(point.y); }

struct Range {
  double low = std::numeric_limits<double>::infinity();
  double high = -std::numeric_limits<double>::infinity();

  void include(double value) {
    low = std::min(low, value);
    high = std::max(high, value);
  }
  bool is_empty() const { return low > high; }
  // Opens a range of (nearly) one value, which has no scale that doubles can tell apart.
  void widen() {
    const double size = std::max(std::abs(low), std::abs(high));
    if (high - low > std::max(size * 1e-9, kSmallestWidth)) return;
    const double margin = size < kSmallestWidth ? 1.0 : size * 0.1;
    low -= margin;
    high += margin;
  }
};

double tick_step(const Range& range, int wanted) {
  const double raw = (range.high - range.low) / wanted;
  const double power = std::pow(10.0, std::floor(std::log10(raw)));
  for (const double factor : {1.0, 2.0, 5.0}) {
    if (raw <= factor * power) return factor * power;
  }
  return 10.0 * power;
}

// Maps values to pixels.
struct Frame {
  Range x, y;

  double px(double value) const {
    return kLeft + (value - x.low) / (x.high - x.low) * (kWidth - kLeft - kRight);
  }
  double py(double value) const {
    return kHeight - kBottom - (value - y.low) / (y.high - y.low) * (kHeight - kTop - kBottom);
  }
};

// Averages runs of neighbours. A run with a hole keeps the mean of what is there.
std::vector<Point> thin_out(const std::vector<Point>& points) {
  if (points.size() <= kMaxPoints) return points;
  std::vector<Point> kept;
  for (std::size_t bucket = 0; bucket < kMaxPoints; ++bucket) {
    const std::size_t begin = bucket * points.size() / kMaxPoints;
    const std::size_t end = (bucket + 1) * points.size() / kMaxPoints;
    Point mean;
    double count = 0;
    for (std::size_t i = begin; i < end; ++i) {
      if (!is_finite_point(points[i])) continue;
      mean.x += points[i].x;
      mean.y += points[i].y;
      ++count;
    }
    if (count > 0) kept.push_back({mean.x / count, mean.y / count});
  }
  return kept;
}

void thin_out_all(std::vector<Series>& series) {
  for (Series& one : series) one.points = thin_out(one.points);
}

std::string render_axes(const Frame& frame, const ChartOptions& options) {
  std::string svg;
  const double y_step = tick_step(frame.y, 5);
  // Ticks are counted, not summed: a step below the resolution of `low` must not loop for ever.
  for (int i = 0; i < 12; ++i) {
    const double value = (std::ceil(frame.y.low / y_step) + i) * y_step;
    if (value > frame.y.high) break;
    const double y = frame.py(value);
    svg += fmt::format(
        "<line class=\"grid\" x1=\"{}\" x2=\"{}\" y1=\"{:.1f}\" y2=\"{:.1f}\"/>"
        "<text x=\"{}\" y=\"{:.1f}\" text-anchor=\"end\">{}</text>",
        kLeft, kWidth - kRight, y, y, kLeft - 6, y + 4, short_number(value));
  }
  const double x_step = std::max(1.0, tick_step(frame.x, 8));
  for (int i = 0; i < 20; ++i) {
    const double value = (std::ceil(frame.x.low / x_step) + i) * x_step;
    if (value > frame.x.high) break;
    svg += fmt::format("<text x=\"{:.1f}\" y=\"{}\" text-anchor=\"middle\">{}</text>",
                       frame.px(value), kHeight - kBottom + 16, short_number(value));
  }
  svg += fmt::format("<text x=\"{}\" y=\"{}\" text-anchor=\"end\">step</text>", kWidth - kRight,
                     kHeight - 3);
  svg += fmt::format("<text x=\"{}\" y=\"{}\">{}</text>", kLeft, kHeight - 3,
                     escape_html(options.y_label));
  return svg;
}

std::string wrap_figure(const ChartOptions& options, const std::vector<Series>& series,
                        const std::string& content) {
  std::string legend;
  for (std::size_t i = 0; i < series.size(); ++i) {
    legend += fmt::format("<span class=\"key\"><i class=\"s{}\"></i>{}</span>", i % kNumColors,
                          escape_html(series[i].name));
  }
  const std::string title = escape_html(options.title);
  return fmt::format(
      "<figure><figcaption>{0}</figcaption><div class=\"legend\">{1}</div>"
      "<svg viewBox=\"0 0 {2} {3}\" role=\"img\" aria-label=\"{0}\">{4}</svg></figure>\n",
      title, legend, kWidth, kHeight, content);
}

std::string render_curve(const Frame& frame, const Series& series, std::size_t color) {
  std::string path, dots;
  bool pen_is_down = false;
  for (const Point& point : series.points) {
    if (!is_finite_point(point)) {
      pen_is_down = false;
      continue;
    }
    const double x = frame.px(point.x), y = frame.py(point.y);
    path += fmt::format("{}{:.1f} {:.1f}", pen_is_down ? 'L' : 'M', x, y);
    pen_is_down = true;
    if (series.points.size() > kMaxDots) continue;
    dots += fmt::format(
        "<circle class=\"s{}\" cx=\"{:.1f}\" cy=\"{:.1f}\" r=\"2.5\"><title>{}, step {:.0f}: {:.6g}"
        "</title></circle>",
        color, x, y, escape_html(series.name), point.x, point.y);
  }
  return fmt::format("<path class=\"curve s{}\" d=\"{}\"/>{}", color, path, dots);
}

}  // namespace

std::string escape_html(std::string_view text) {
  std::string escaped;
  escaped.reserve(text.size());
  for (const char c : text) {
    switch (c) {
      case '&':
        escaped += "&amp;";
        break;
      case '<':
        escaped += "&lt;";
        break;
      case '>':
        escaped += "&gt;";
        break;
      case '"':
        escaped += "&quot;";
        break;
      case '\'':
        escaped += "&#39;";
        break;
      case '\0':
        escaped += "\xEF\xBF\xBD";
        break;
      default:
        escaped += c;
    }
  }
  return escaped;
}

std::string short_number(double value) {
  const double size = std::abs(value);
  if (size >= 1e9) return fmt::format("{:.3g}G", value / 1e9);
  if (size >= 1e6) return fmt::format("{:.3g}M", value / 1e6);
  if (size >= 1e4) return fmt::format("{:.3g}k", value / 1e3);
  // A tick at zero comes out as -1e-17 after rounding.
  if (size < 1e-12) return "0";
  return fmt::format("{:.4g}", value);
}

std::string render_line_chart(const ChartOptions& options, std::vector<Series> series) {
  std::erase_if(
      series, [](const Series& one) { return std::ranges::none_of(one.points, is_finite_point); });
  if (series.empty()) return "";
  thin_out_all(series);
  Frame frame;
  for (const Series& one : series) {
    for (const Point& point : one.points) {
      if (!is_finite_point(point)) continue;
      frame.x.include(point.x);
      frame.y.include(point.y);
    }
  }
  if (options.y_from_zero) frame.y.include(0.0);
  frame.x.widen();
  frame.y.widen();
  std::string content = render_axes(frame, options);
  for (std::size_t i = 0; i < series.size(); ++i) {
    content += render_curve(frame, series[i], i % kNumColors);
  }
  return wrap_figure(options, series, content);
}

std::string render_stacked_chart(const ChartOptions& options, std::vector<Series> series) {
  for (Series& one : series) {
    for (Point& point : one.points) {
      if (!is_finite(point.y)) point.y = 0.0;
    }
  }
  // Only after the holes are zeros do all series keep the same points when they are thinned.
  thin_out_all(series);
  std::erase_if(series, [](const Series& one) {
    return std::ranges::all_of(one.points, [](const Point& point) { return point.y == 0.0; });
  });
  if (series.empty()) return "";
  const std::size_t count = series.front().points.size();
  std::vector<double> base(count, 0.0);
  std::vector<std::vector<double>> tops;
  Frame frame;
  frame.y.include(0.0);
  for (const Series& one : series) {
    for (std::size_t i = 0; i < count; ++i) {
      base[i] += one.points[i].y;
      frame.x.include(one.points[i].x);
      frame.y.include(base[i]);
    }
    tops.push_back(base);
  }
  frame.x.widen();
  frame.y.widen();
  std::string content = render_axes(frame, options);
  // From the highest stack down, so that each area covers what is not its own.
  for (std::size_t s = series.size(); s-- > 0;) {
    // One step alone has no width: give it the whole frame.
    const std::vector<Point>& points = series[s].points;
    const double left = count == 1 ? frame.x.low : points.front().x;
    const double right = count == 1 ? frame.x.high : points.back().x;
    std::string path = fmt::format("M{:.1f} {:.1f}", frame.px(left), frame.py(0.0));
    path += fmt::format("L{:.1f} {:.1f}", frame.px(left), frame.py(tops[s].front()));
    for (std::size_t i = 0; i < count && count > 1; ++i) {
      path += fmt::format("L{:.1f} {:.1f}", frame.px(points[i].x), frame.py(tops[s][i]));
    }
    path += fmt::format("L{:.1f} {:.1f}", frame.px(right), frame.py(tops[s].back()));
    path += fmt::format("L{:.1f} {:.1f}Z", frame.px(right), frame.py(0.0));
    content += fmt::format("<path class=\"area s{}\" d=\"{}\"><title>{}</title></path>",
                           s % kNumColors, path, escape_html(series[s].name));
  }
  return wrap_figure(options, series, content);
}

}  // namespace aurum::report

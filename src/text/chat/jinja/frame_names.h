#pragma once

#include <memory>
#include <set>
#include <string>
#include <vector>

namespace aurum::text::jinja {

// The names of one scope, as Jinja2's compiler sees them. A name that a scope assigns before it
// reads it, and that no scope around it mentions, is a variable of that scope from its beginning:
// until the assignment it is undefined, even where the context has a value of that name. Example:
// {% for x in [1] %}{{ tools }}{% endfor %}{% set tools = 1 %} prints nothing, whatever tools are.
struct FrameNames {
  const FrameNames* parent = nullptr;  // read by NameTracker::finish only
  std::set<std::string> mentioned;
  std::vector<std::string> unset;  // undefined at the beginning

  // Notes what has a value from the beginning: a loop's target, a macro's parameters.
  void bind(const std::vector<std::string>& names) { mentioned.insert(names.begin(), names.end()); }
};

// Follows the parser through a template and notes what happens to names, scope by scope.
class NameTracker {
 public:
  NameTracker() { current_ = make_frame().get(); }

  // A scope inside the current one.
  std::shared_ptr<FrameNames> make_frame();
  const std::shared_ptr<FrameNames>& root() const { return frames_.front(); }

  void read(const std::string& name) { current_->mentioned.insert(name); }
  void assign(const std::string& name);

  // Completes `unset` of all scopes; call it after the end of the template.
  void finish();

  // Enters a scope for as long as it lives.
  class Inside {
   public:
    Inside(NameTracker& tracker, FrameNames& frame);
    ~Inside();
    Inside(const Inside&) = delete;
    Inside& operator=(const Inside&) = delete;

   private:
    NameTracker& tracker_;
    FrameNames* outer_;
    int outer_branches_;
  };

  // Marks what may not happen: the branches of an {% if %}.
  class Branch {
   public:
    explicit Branch(NameTracker& tracker) : tracker_(tracker) { ++tracker_.num_branches_; }
    ~Branch() { --tracker_.num_branches_; }
    Branch(const Branch&) = delete;
    Branch& operator=(const Branch&) = delete;

   private:
    NameTracker& tracker_;
  };

 private:
  std::vector<std::shared_ptr<FrameNames>> frames_;
  FrameNames* current_ = nullptr;
  int num_branches_ = 0;  // around the parser's place, up to its scope
};

}  // namespace aurum::text::jinja

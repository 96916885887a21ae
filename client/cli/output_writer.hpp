// Our stdout and stderr as one stream of blocks: a block is never mixed with another, and order
// between the two stays.
#pragma once

#include <string>
#include <string_view>

namespace jobring::cli {

class OutputWriter {
 public:
  void out(std::string_view bytes);
  void err(std::string_view bytes);
  // A line that is wiped and drawn anew below everything else, for progress on a terminal's stderr.
  // Empty: none.
  void set_footer(std::string line);
  // Writes everything. Call it before sleeping.
  void flush();

  // Nobody reads our stdout any more: all further output goes nowhere.
  bool closed() const { return closed_; }
  // errno of a write that failed for another reason (a full disk); 0: none. Output after it goes
  // nowhere.
  int error() const { return error_; }

 private:
  void wipe_footer();
  bool write_all(int fd, std::string& bytes);

  std::string out_;
  std::string err_;
  std::string footer_;
  bool footer_drawn_ = false;
  bool closed_ = false;
  int error_ = 0;
};

}  // namespace jobring::cli

// Words as a POSIX shell needs them written.
#pragma once

#include <string>
#include <string_view>
#include <vector>

namespace jobring::cli {

// 'it'\''s': a word that the shell reads back as these bytes. Harmless words stay as they are; the
// empty one is ''.
std::string shell_quote(std::string_view word);
// Quoted words with spaces between them.
std::string shell_join(const std::vector<std::string>& words);
// Tabs, newlines and other control bytes as \t, \n, \xHH: fits into one field of one line.
std::string one_line(std::string_view text);

}  // namespace jobring::cli

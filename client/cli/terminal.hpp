// What a descriptor's terminal can do.
#pragma once

#include <string>

namespace jobring::cli {

bool is_terminal(int fd);
// Columns of the terminal; 80 if it does not say.
int terminal_width(int fd);
// `choice` is "auto", "always" or "never"; auto: a terminal, $NO_COLOR unset or empty, $TERM not
// "dumb".
bool use_color(const std::string& choice, int fd);

}  // namespace jobring::cli

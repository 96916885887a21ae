// What a fetch says and reads beside the bytes themselves: the head of a request, what statuses and
// methods mean, and errors in words. Pure.
#pragma once

#include <boost/system/error_code.hpp>
#include <string>
#include <string_view>

#include <jobring/http.hpp>

#include "worker/async/url.hpp"

namespace jobring {

// The request's head as it goes over the wire. Method, target, names and values were checked.
std::string head_of(const HttpRequest& from, const Url& url);

// May a request be sent again after nobody knows how the first try ended?
bool repeatable(std::string_view method);
bool is_redirect(int status);
// What must not travel to another server than it was given for.
bool is_secret(std::string_view header);
bool same_header(std::string_view a, std::string_view b);

std::string words(const boost::system::error_code& ec);

}  // namespace jobring

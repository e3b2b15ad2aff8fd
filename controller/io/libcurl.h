/* libcurl, loaded when the API is the source and not before. Debian's brings OpenSSL, GnuTLS, Kerberos and
 * LDAP: some 6 MB that are touched at start and that a pod without the API has no use for.
 *
 * Call libcurl.easy_init() for curl_easy_init(3) and so on. Options and infos must have the types that the
 * manual says (long, not int): the compiler does not check them here.
 */
#pragma once

#include "base/error.h"

#include <curl/curl.h>

#define LIBCURL_FUNCTIONS(X)   \
        X(easy_cleanup)        \
        X(easy_getinfo)        \
        X(easy_init)           \
        X(easy_setopt)         \
        X(easy_strerror)       \
        X(global_init)         \
        X(multi_add_handle)    \
        X(multi_assign)        \
        X(multi_cleanup)       \
        X(multi_info_read)     \
        X(multi_init)          \
        X(multi_remove_handle) \
        X(multi_setopt)        \
        X(multi_socket_action) \
        X(multi_timeout)       \
        X(slist_append)        \
        X(slist_free_all)

struct libcurl {
#define X(name) __typeof__(curl_##name) *name;
        LIBCURL_FUNCTIONS(X)
#undef X
};

/* All NULL until libcurl_load has succeeded; constant from then on. */
extern struct libcurl libcurl;

/* Loads it and calls curl_global_init(3), the first time; so before any thread. It is never unloaded. Returns
 * 0, or -ENOENT with *error set. */
int libcurl_load(struct error *error);

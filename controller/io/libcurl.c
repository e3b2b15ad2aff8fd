#include "io/libcurl.h"

#include <dlfcn.h>
#include <errno.h>
#include <string.h>

#define LIBRARY "libcurl.so.4" /* its ABI since 2006 */

struct libcurl libcurl;

static int fail(struct error *error)
{
        const char *reason = dlerror();

        (void)error_set(error, LIBRARY, "cannot be loaded: %s", reason ? reason : "it refuses to start");
        return -ENOENT;
}

int libcurl_load(struct error *error)
{
        static const char *const names[] = {
#define X(name) "curl_" #name,
            LIBCURL_FUNCTIONS(X)
#undef X
        };
        struct libcurl loaded;
        void *library;

        if (libcurl.global_init)
                return 0;
        library = dlopen(LIBRARY, RTLD_NOW | RTLD_LOCAL);
        if (!library)
                return fail(error);
        for (size_t i = 0; i < sizeof(names) / sizeof(*names); i++) {
                void *symbol = dlsym(library, names[i]);

                if (!symbol)
                        return fail(error);
                /* POSIX says that a symbol's address can be a function's; ISO C has no cast for it. */
                memcpy((char *)&loaded + i * sizeof(symbol), &symbol, sizeof(symbol));
        }
        if (loaded.global_init(CURL_GLOBAL_DEFAULT) != CURLE_OK)
                return fail(error);
        libcurl = loaded;
        return 0;
}

/* Scope-bound release of resources (GCC's cleanup attribute): a function is seen to be leak-free without
 * reading what it calls. Pointers start as NULL, file descriptors as -1; TAKE_PTR/TAKE_FD hand over.
 */
#pragma once

#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#define _cleanup_(f) __attribute__((cleanup(f)))

/* Defines `static inline void func##_p(type *p)` that calls func on what p points to, NULL included. */
#define DEFINE_CLEANUP(type, func)           \
        static inline void func##_p(type *p) \
        {                                    \
                func(*p);                    \
        }

static inline void cleanup_free_p(void *p)
{
        free(*(void **)p);
}

static inline void cleanup_close_p(const int *fd)
{
        if (*fd >= 0)
                (void)close(*fd);
}

static inline void cleanup_fclose_p(FILE **f)
{
        if (*f)
                (void)fclose(*f);
}

static inline void cleanup_json_p(json_t **j)
{
        json_decref(*j);
}

#define _cleanup_free_ _cleanup_(cleanup_free_p)
#define _cleanup_close_ _cleanup_(cleanup_close_p)
#define _cleanup_fclose_ _cleanup_(cleanup_fclose_p)
#define _cleanup_json_ _cleanup_(cleanup_json_p)

#define TAKE_PTR(p)                            \
        ({                                     \
                __typeof__(p) take_ptr_ = (p); \
                (p) = NULL;                    \
                take_ptr_;                     \
        })

#define TAKE_FD(fd)                  \
        ({                           \
                int take_fd_ = (fd); \
                (fd) = -1;           \
                take_fd_;            \
        })

#define container_of(ptr, type, member) ((type *)((char *)(ptr)-offsetof(type, member)))

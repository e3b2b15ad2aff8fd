/* A web server that costs little, and always the same: serve NAME. Answers each request on port 80 with NAME,
 * and closes the connection if the request says so. It reads a request in one piece, as the load sends it. */
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

#define BODY_BYTES 100

static void die(const char *what)
{
        perror(what);
        exit(1);
}

static void answer(int fd, const char *name)
{
        char request[2048], reply[512];
        ssize_t n = read(fd, request, sizeof(request) - 1);
        int close_it, length;

        if (n <= 0) {
                close(fd);
                return;
        }
        request[n] = '\0';
        close_it = strstr(request, "Connection: close") != NULL;
        length = snprintf(reply, sizeof(reply),
                          "HTTP/1.1 200 OK\r\nContent-Length: %d\r\nConnection: %s\r\n\r\n%-*s", BODY_BYTES,
                          close_it ? "close" : "keep-alive", BODY_BYTES, name);
        if (write(fd, reply, (size_t)length) != length)
                die("write");
        if (close_it)
                close(fd);
}

int main(int argc, char **argv)
{
        struct sockaddr_in any = {.sin_family = AF_INET, .sin_port = htons(80)};
        struct epoll_event event = {.events = EPOLLIN}, events[64];
        int listener = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK, 0), loop, one = 1;

        if (argc != 2 || listener < 0)
                die("usage: serve NAME");
        setsockopt(listener, SOL_SOCKET, SO_REUSEADDR, &one, sizeof(one));
        setsockopt(listener, IPPROTO_TCP, TCP_NODELAY, &one, sizeof(one));
        if (bind(listener, (struct sockaddr *)&any, sizeof(any)) || listen(listener, 4096))
                die("listen");
        if (daemon(0, 1)) /* whoever started this knows now that it listens */
                die("daemon");
        loop = epoll_create1(0);
        event.data.fd = listener;
        epoll_ctl(loop, EPOLL_CTL_ADD, listener, &event);
        for (;;) {
                int n = epoll_wait(loop, events, 64, -1);

                for (int i = 0; i < n; i++) {
                        if (events[i].data.fd != listener) {
                                answer(events[i].data.fd, argv[1]);
                                continue;
                        }
                        event.data.fd = accept4(listener, NULL, NULL, SOCK_NONBLOCK);
                        if (event.data.fd >= 0)
                                epoll_ctl(loop, EPOLL_CTL_ADD, event.data.fd, &event);
                }
        }
}

/*
 * The only program of an image that needs no registry: `web PORT` answers every connection with its host
 * name, the pod's; without arguments it is what keeps a pod's namespaces (pause).
 */
#include <arpa/inet.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

static void end(int number)
{
        _exit(number == SIGTERM || number == SIGINT ? 0 : 1);
}

static int serve(int port)
{
        struct sockaddr_in any = {.sin_family = AF_INET, .sin_port = htons((uint16_t)port)};
        int listener = socket(AF_INET, SOCK_STREAM, 0), yes = 1;
        char name[64] = "", answer[256], request[1024];

        gethostname(name, sizeof(name) - 1);
        snprintf(answer, sizeof(answer),
                 "HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Length: %zu\r\n\r\n%s\n", strlen(name) + 1,
                 name);
        setsockopt(listener, SOL_SOCKET, SO_REUSEADDR, &yes, sizeof(yes));
        if (bind(listener, (struct sockaddr *)&any, sizeof(any)) || listen(listener, 128)) {
                perror("web");
                return 1;
        }
        for (;;) {
                int fd = accept(listener, NULL, NULL);

                /* a health check says nothing and closes */
                if (read(fd, request, sizeof(request)) > 0 && write(fd, answer, strlen(answer)) < 0)
                        perror("web");
                close(fd);
        }
}

int main(int argc, char **argv)
{
        signal(SIGTERM, end);
        signal(SIGINT, end);
        signal(SIGPIPE, SIG_IGN);
        signal(SIGCHLD, SIG_IGN);
        if (argc > 1)
                return serve((int)strtol(argv[1], NULL, 10));
        for (;;)
                pause();
}

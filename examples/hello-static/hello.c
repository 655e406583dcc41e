// A custom runtime (provided.al2023) that does nothing but answer: what an environment weighs without a language.
//   cc -static -O2 -o bootstrap hello.c && plimsoll invoke bootstrap
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static char answer[1 << 16];

// One request on a connection of its own; the whole answer, up to 64 KiB, is in `answer` then.
static void call(const char *request) {
  char *host = strdup(getenv("AWS_LAMBDA_RUNTIME_API")), *port = strchr(host, ':');
  *port = 0;
  struct sockaddr_in to = {.sin_family = AF_INET, .sin_port = htons(atoi(port + 1))};
  inet_pton(AF_INET, host, &to.sin_addr);
  int api = socket(AF_INET, SOCK_STREAM, 0), all = 0;
  if (connect(api, (struct sockaddr *)&to, sizeof to) || write(api, request, strlen(request)) < 0) exit(1);
  for (ssize_t got; (got = read(api, answer + all, sizeof answer - 1 - all)) > 0;) {
    answer[all += got] = 0;
    char *body = strstr(answer, "\r\n\r\n"), *length = strcasestr(answer, "content-length:");
    if (body && answer + all >= body + 4 + (length ? atoi(length + 15) : 0)) break;
  }
  close(api);
  free(host);
}

int main(void) {
  const char *hello = "{\"hello\":\"world\"}";
  char id[64], request[512];
  for (;;) {
    call("GET /2018-06-01/runtime/invocation/next HTTP/1.1\r\nHost: runtime\r\n\r\n");
    char *header = strcasestr(answer, "lambda-runtime-aws-request-id:");
    if (!header || sscanf(header + 30, " %63[^\r]", id) != 1) return 1;
    snprintf(request, sizeof request,
             "POST /2018-06-01/runtime/invocation/%s/response HTTP/1.1\r\nHost: runtime\r\n"
             "Content-Length: %zu\r\n\r\n%s",
             id, strlen(hello), hello);
    call(request);
  }
}

// libjobring in C: run jobs in the workers of a jobring daemon.
//
//     #include <jobring/jobring.h>
//
//     jobring_client* client = NULL;
//     jobring_pool* pool = NULL;
//     jobring_future* future = NULL;
//     jobring_result result = {.size = sizeof result};
//     if (jobring_connect(NULL, &client) != JOBRING_OK ||
//         jobring_pool_open(client, "default", NULL, &pool) != JOBRING_OK ||
//         jobring_submit(pool, "square", "7", 1, NULL, JOBRING_FOREVER, &future) != JOBRING_OK ||
//         jobring_future_result(future, JOBRING_FOREVER, &result) != JOBRING_OK) {
//       fprintf(stderr, "%s\n", jobring_last_error());
//     } else {
//       printf("%s: %.*s\n", jobring_outcome_name(result.outcome), (int)result.bytes_len,
//              (const char*)result.bytes);
//     }
//     jobring_future_free(future);
//     jobring_pool_free(pool);
//     jobring_client_free(client);
//
// Handlers, which run in the workers and need nothing of this: <jobring/handler.h>.
//
// Link with -ljobring. (Or statically: -ljobring_client -ljobring_common -lstdc++ -pthread.)
//
// Ownership: what a function gives through a pointer to a handle is the caller's, and is given back
// with the function of its type that ends in _free, in any order; each takes NULL. On an error the
// pointer is set to NULL. What is passed in stays the caller's, and is copied where it is needed
// longer than for the call, unless the function says otherwise.
//
// Errors: a negative jobring_status, with its words in jobring_last_error(). No function lets an
// exception out, and none ends the process. NULL where something is needed is JOBRING_BAD_INPUT.
// What no function can detect: a handle that was freed, a `size` that is larger than the struct.
//
// Threads: clients, pools, futures, durable jobs and named objects may be used from any number of threads at
// once; other handles by one at a time. Freeing a handle while another thread is in a call with it
// is the caller's mistake. No threads are started and no signals used. A thread that is in a call
// must not be ended by pthread_cancel().
//
// Fork: a child does not use what its parent connected; it may free nothing of it either.
#ifndef JOBRING_JOBRING_H
#define JOBRING_JOBRING_H

#include <jobring/c/base.h>
#include <jobring/c/channel.h>
#include <jobring/c/client.h>
#include <jobring/c/durable.h>
#include <jobring/c/future.h>
#include <jobring/c/objects.h>
#include <jobring/c/operations.h>
#include <jobring/c/submit.h>

#endif

/* Checks, and a private daemon for each case, in plain C. */
#ifndef JOBRING_TESTS_C_CHECK_H
#define JOBRING_TESTS_C_CHECK_H

#include <string.h>

#include <jobring/jobring.h>

/* Reports and goes on. */
#define CHECK(condition) check((condition) ? 1 : 0, #condition, __FILE__, __LINE__)
/* Ends the program: what follows would make no sense. */
#define REQUIRE(condition) require((condition) ? 1 : 0, #condition, __FILE__, __LINE__)
/* A call that is to return a status; says the last error if it returns another. */
#define CHECK_STATUS(call, wanted) check_status((call), (wanted), #call, __FILE__, __LINE__)
#define CHECK_OK(call) CHECK_STATUS(call, JOBRING_OK)
#define CHECK_TEXT(text, wanted) check_text((text), (wanted), #text, __FILE__, __LINE__)

/* Thread-safe. */
void check(int ok, const char* what, const char* file, int line);
void require(int ok, const char* what, const char* file, int line);
void check_status(jobring_status got, jobring_status wanted, const char* what, const char* file,
                  int line);
void check_text(const char* got, const char* wanted, const char* what, const char* file, int line);
int check_failures(void);

/* A directory, a config with the test modules, a private daemon, its pool. */
struct place {
  char dir[64];
  jobring_client* client;
  jobring_pool* pool;
};
/* `more` are further members of the pool, each with a leading comma. */
void open_place(struct place* place, int workers, const char* more);
/* The same with these pools, of which one is "default": "\"default\": {...}, ...". */
void open_place_of(struct place* place, const char* pools);
/* And with a keeper of durable jobs, in that directory. */
void open_place_that_keeps(struct place* place, const char* pools);
/* Takes NULL handles too: a case may have freed them. */
void close_place(struct place* place);

/* SIGKILL. The registry's pid is told once it serves. */
void kill_daemon(struct place* place);
int registry_pid(struct place* place);

/* A job whose payload is the path of a new FIFO: open_gate() opens it for writing. */
jobring_future* submit_at_fifo(struct place* place, jobring_pool* pool, const char* handler,
                               const char* name, const jobring_job_options* options);
/* A job that ends when open_gate() is called for the same name. */
jobring_future* submit_at_gate(struct place* place, jobring_pool* pool, const char* name,
                               const jobring_job_options* options);
/* The same; it reports 1 of 3, "first half", as soon as it runs. */
jobring_future* submit_reporter(struct place* place, const char* name);
void await_report(jobring_future* future);
void open_gate(const struct place* place, const char* name);

/* Submits with all defaults. */
jobring_future* submit(jobring_pool* pool, const char* handler, const char* payload);
/* Waits; the result. */
jobring_result result_of(jobring_future* future);
int bytes_are(const jobring_result* result, const char* text);

int descriptors(void);     /* open in this process */
int shared_mappings(void); /* of memfds */
/* Calls `holds` until it says yes; fails the case after 20 seconds. */
void eventually(int (*holds)(void* user), void* user, const char* what);

#endif

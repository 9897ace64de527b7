/*
 * A stand-in for libcuda.so.1 and libnvidia-ml.so.1 on machines without a GPU: it keeps the rules of the driver (handles, contexts, streams,
 * capture, errors that stick), records every call, and lets a device behind a callback do the work (fake-gpu.ts: the virtual GPU). Its clocks are
 * simulated. Whoever loads it knows by assay_fake_host_nanoseconds that nothing it shows is a measurement.
 *
 * Settings are environment variables:
 *   ASSAY_FAKE_LOG        file to which every call is appended: name, result
 *   ASSAY_FAKE_FAULTS     "function:nth:what;...": the nth call (0: each) returns an error code, or `hang`s, or `exit`s, or `lie`s (times a tenth)
 *   ASSAY_FAKE_NAME, ASSAY_FAKE_CAPABILITY, ASSAY_FAKE_SMS, ASSAY_FAKE_L2_KIB, ASSAY_FAKE_MEMORY_MIB   the device
 *   ASSAY_FAKE_THROTTLE, ASSAY_FAKE_PROCESSES, ASSAY_FAKE_TEMPERATURE, ASSAY_FAKE_CLOCK            what NVML says; a list, `1980,1635`, gives its
 *                         values in turn, each for ASSAY_FAKE_DWELL_US of the host's time, and what runs takes as long as the clock then says
 *   ASSAY_FAKE_CONTEXTS   a file by which processes with a context are counted, where ASSAY_FAKE_PROCESSES does not say how many there are
 *   ASSAY_FAKE_TICK_NS, ASSAY_FAKE_NOISE_PPM                                                     resolution of events, spread of durations
 */
#include <fcntl.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

typedef int Result;
typedef uint64_t Handle;

enum { OK = 0, INVALID_VALUE = 1, OUT_OF_MEMORY = 2, NOT_INITIALIZED = 3, INVALID_DEVICE = 101, INVALID_CONTEXT = 201,
       NO_BINARY_FOR_GPU = 209, INVALID_HANDLE = 400, NOT_FOUND = 500, CAPTURE_UNSUPPORTED = 900, CAPTURE_UNMATCHED = 903 };

/* ---- The device behind the callback. ---- */

/* What the callback is asked; fake-gpu.ts has the same list. */
enum { ALLOC, FREE, WRITE, READ, COPY, SET, LOAD, UNLOAD, FUNCTION, GLOBAL, PARAMETERS, LAUNCH };
typedef int64_t (*Device)(int what, uint64_t a, uint64_t b, uint64_t c, const void *p, void *q);
static Device device;
void assay_fake_set_device(Device callback) { device = callback; }

/* ---- Settings, faults, the log. ---- */

static const char *setting(const char *name, const char *otherwise) {
  const char *value = getenv(name);
  return value && *value ? value : otherwise;
}
static int64_t number(const char *name, int64_t otherwise) {
  const char *value = getenv(name);
  return value && *value ? atoll(value) : otherwise;
}

#define MOST_NAMES 96
static struct { const char *name; int calls; } counted[MOST_NAMES];
static int64_t host_ns = 1000000000, device_ns = 0;
static Result sticky = OK;
static int initialised = 0, contexts = 0;
static int lying = 0;

uint64_t assay_fake_host_nanoseconds(void) { return (uint64_t)host_ns; }

/* Contexts, modules, allocations, streams, events, graphs that were made and not given back. */
static int64_t live;
int64_t assay_fake_live(void) { return live; }

static void record(const char *name, Result result) {
  static int file = -2;
  if (file == -2) {
    const char *path = getenv("ASSAY_FAKE_LOG");
    file = path ? open(path, O_WRONLY | O_CREAT | O_APPEND, 0600) : -1;
  }
  if (file < 0) return;
  char line[128];
  int length = snprintf(line, sizeof line, "%s %d\n", name, result);
  if (write(file, line, (size_t)length) < 0) file = -1;
}

/* Counts the call; the error it must return, or OK. */
static Result fault(const char *name) {
  int nth = 0;
  for (int i = 0; i < MOST_NAMES; i++) {
    if (!counted[i].name) counted[i].name = name;
    if (strcmp(counted[i].name, name) == 0) { nth = ++counted[i].calls; break; }
  }
  const char *list = setting("ASSAY_FAKE_FAULTS", "");
  size_t length = strlen(name);
  for (const char *at = list; at && *at; at = strchr(at, ';') ? strchr(at, ';') + 1 : NULL) {
    if (strncmp(at, name, length) != 0 || at[length] != ':') continue;
    int which = atoi(at + length + 1);
    const char *what = strchr(at + length + 1, ':');
    if (!what || (which != 0 && which != nth)) continue;
    what++;
    if (strncmp(what, "hang", 4) == 0) { record(name, -1); for (;;) pause(); }
    if (strncmp(what, "exit", 4) == 0) { record(name, -2); _exit(7); }
    if (strncmp(what, "lie", 3) == 0) { lying = 1; continue; }
    return atoi(what);
  }
  return OK;
}

/* Every call takes the host some time. A context that a kernel has broken answers everything with that error. */
#define HOST_CALL_NS 300
#define DONE(result) do { Result r_ = (result); record(__func__, r_); return r_; } while (0)
#define BEGIN() \
  host_ns += HOST_CALL_NS; \
  { Result f_ = fault(__func__); if (f_ != OK) DONE(f_); } \
  if (!initialised) DONE(NOT_INITIALIZED)
#define BEGIN_IN_CONTEXT() \
  BEGIN(); \
  if (contexts == 0) DONE(INVALID_CONTEXT); \
  if (sticky != OK) DONE(sticky)

/* What holds now of a setting that changes: its entries in turn. */
static int64_t now_of(const char *name, int64_t otherwise) {
  const char *list = setting(name, "");
  if (!*list) return otherwise;
  int64_t entries = 1, dwell = number("ASSAY_FAKE_DWELL_US", 10000) * 1000;
  for (const char *at = list; *at; at++) entries += *at == ',';
  for (int64_t skip = host_ns / dwell % entries; skip > 0; skip--) list = strchr(list, ',') + 1;
  return atoll(list);
}

/* Clock of the multiprocessors, MHz; what runs takes longer when it is low. */
enum { FULL_CLOCK = 1980 };
static int64_t clock_now(void) { return now_of("ASSAY_FAKE_CLOCK", FULL_CLOCK); }

/* Deterministic noise: a duration as this device takes it. */
static int64_t noisy(int64_t nanoseconds) {
  nanoseconds = nanoseconds * FULL_CLOCK / clock_now();
  static uint64_t state = 0x9e3779b97f4a7c15u;
  state = state * 6364136223846793005u + 1442695040888963407u;
  int64_t ppm = number("ASSAY_FAKE_NOISE_PPM", 5000);
  double unit = (double)(state >> 33) / (double)(1ull << 31); /* 0 to 1 */
  return nanoseconds + (int64_t)((double)nanoseconds * unit * (double)ppm / 1e6);
}

/* The device does something: not before it was asked to. */
static void busy(int64_t nanoseconds) {
  if (device_ns < host_ns) device_ns = host_ns;
  device_ns += noisy(nanoseconds);
}
static void wait_for_device(void) {
  if (host_ns < device_ns) host_ns = device_ns;
  host_ns += 3000;
}

/* ---- Processes with a context: each holds a byte of a file locked, and one that is killed does not any more. ---- */

enum { MOST_CONTEXTS = 256 };
static int contexts_held = 0;

static int contexts_file(void) {
  static int file = -2;
  if (file == -2) {
    const char *path = setting("ASSAY_FAKE_CONTEXTS", "");
    file = *path ? open(path, O_RDWR | O_CLOEXEC) : -1;
  }
  return file;
}
static struct flock byte_of(int at, short type) {
  struct flock lock = { .l_type = type, .l_whence = SEEK_SET, .l_start = at, .l_len = 1 };
  return lock;
}
static void hold_context(void) {
  for (int i = 0; i < MOST_CONTEXTS && !contexts_held; i++) {
    struct flock lock = byte_of(i, F_WRLCK);
    contexts_held = fcntl(contexts_file(), F_SETLK, &lock) == 0;
  }
}
static void drop_context(void) {
  struct flock all = { .l_type = F_UNLCK, .l_whence = SEEK_SET };
  if (contexts_held) fcntl(contexts_file(), F_SETLK, &all);
  contexts_held = 0;
}
/* A process does not see its own locks. */
static int64_t count_contexts(void) {
  int64_t count = contexts_held;
  for (int i = 0; i < MOST_CONTEXTS; i++) {
    struct flock lock = byte_of(i, F_WRLCK);
    count += fcntl(contexts_file(), F_GETLK, &lock) == 0 && lock.l_type != F_UNLCK;
  }
  return count;
}

/* ---- Operations of a stream: done at once, or kept in a graph while the stream is captured. ---- */

typedef struct Operation {
  int what;
  uint64_t a, b, c;
  uint32_t shape[11];
  unsigned char *blob; /* of launches, their parameters */
  size_t blob_bytes;
  struct Operation *next;
} Operation;
typedef struct { uint32_t magic; Operation *first, *last; } Graph;
typedef struct { uint32_t magic; Graph *captured; } Stream;
typedef struct { uint32_t magic; int64_t at; } Event;
/* One product of matrices, as cuBLAS is asked for it: in columns. */
typedef struct { int transa, transb, m, n, k, type, lda, ldb, ldc, batch; int64_t strides[3]; uint64_t at[3]; } Product;
enum { PRODUCT = 100 };
static Result multiply(const Product *product);

enum { STREAM = 0x57e4, EVENT = 0xe7e1, GRAPH = 0x64a1, EXEC = 0xe8ec };

static Stream *stream_of(Handle handle) { Stream *s = (Stream *)handle; return s && s->magic == STREAM ? s : NULL; }

static Result perform(const Operation *op) {
  switch (op->what) {
    case COPY: device(COPY, op->a, op->b, op->c, NULL, NULL); busy(1000 + (int64_t)op->c / 2000); return OK;
    case WRITE: device(WRITE, op->a, op->c, 0, (const void *)op->b, NULL); busy(1000 + (int64_t)op->c / 20); return OK;
    case SET: device(SET, op->a, op->b, op->c, NULL, NULL); busy(1000 + (int64_t)op->c / 500); return OK;
    case PRODUCT: return multiply((const Product *)op->blob);
    default: {
      int64_t took = device(LAUNCH, op->a, 0, 0, op->shape, op->blob);
      if (took < 0 && -took < 1000) {
        /* A fault inside the kernel shows at the next synchronisation and stays; a refused launch at once. */
        if (-took == 701 || -took == 720 || -took == 912 || -took == 1) return (Result)-took;
        sticky = (Result)-took;
        return OK;
      }
      busy(took);
      return OK;
    }
  }
}

static Result enqueue(Handle handle, const Operation *op) {
  Stream *stream = stream_of(handle);
  if (!stream) return INVALID_HANDLE;
  if (!stream->captured) return perform(op);
  Operation *kept = malloc(sizeof *kept);
  *kept = *op;
  kept->next = NULL;
  if (op->blob) {
    kept->blob = malloc(op->blob_bytes);
    memcpy(kept->blob, op->blob, op->blob_bytes);
  }
  Graph *graph = stream->captured;
  if (graph->last) graph->last->next = kept; else graph->first = kept;
  graph->last = kept;
  return OK;
}

static Graph *copy_of(const Graph *from, uint32_t magic) {
  Graph *graph = calloc(1, sizeof *graph);
  graph->magic = magic;
  live++;
  Stream capturing = { STREAM, graph };
  for (Operation *op = from->first; op; op = op->next) enqueue((Handle)&capturing, op);
  return graph;
}
static void release(Graph *graph) {
  for (Operation *op = graph->first; op;) {
    Operation *next = op->next;
    free(op->blob);
    free(op);
    op = next;
  }
  graph->magic = 0;
  live--;
  free(graph);
}

/* ---- libcuda: initialisation, device, context. ---- */

Result cuInit(unsigned flags) {
  (void)flags;
  host_ns += HOST_CALL_NS;
  Result f = fault(__func__);
  if (f == OK) initialised = 1;
  DONE(f);
}
Result cuDriverGetVersion(int *version) { BEGIN(); *version = 13000; DONE(OK); }
Result cuGetErrorName(Result error, const char **name) { (void)error; *name = "CUDA_ERROR_FAKE"; return OK; }
Result cuGetErrorString(Result error, const char **text) { (void)error; *text = "an error of the fake library"; return OK; }
Result cuDeviceGetCount(int *count) { BEGIN(); *count = (int)number("ASSAY_FAKE_DEVICES", 1); DONE(OK); }
Result cuDeviceGet(int *out, int ordinal) {
  BEGIN();
  if (ordinal < 0 || ordinal >= number("ASSAY_FAKE_DEVICES", 1)) DONE(INVALID_DEVICE);
  *out = ordinal;
  DONE(OK);
}
Result cuDeviceGetName(char *name, int length, int dev) {
  (void)dev;
  BEGIN();
  snprintf(name, (size_t)length, "%s", setting("ASSAY_FAKE_NAME", "NVIDIA H200"));
  DONE(OK);
}
Result cuDeviceGetUuid_v2(unsigned char *uuid, int dev) {
  BEGIN();
  for (int i = 0; i < 16; i++) uuid[i] = (unsigned char)(i * 16 + dev);
  DONE(OK);
}
Result cuDeviceGetAttribute(int *value, int attribute, int dev) {
  (void)dev;
  BEGIN();
  int capability = (int)number("ASSAY_FAKE_CAPABILITY", 90);
  switch (attribute) {
    case 16: *value = (int)number("ASSAY_FAKE_SMS", 132); break;
    case 38: *value = (int)(number("ASSAY_FAKE_L2_KIB", 1024) << 10); break;
    case 75: *value = capability / 10; break;
    case 76: *value = capability % 10; break;
    default: DONE(INVALID_VALUE);
  }
  DONE(OK);
}
Result cuDeviceTotalMem_v2(size_t *bytes, int dev) {
  (void)dev;
  BEGIN();
  *bytes = (size_t)number("ASSAY_FAKE_MEMORY_MIB", 1024) << 20;
  DONE(OK);
}
Result cuDevicePrimaryCtxSetFlags_v2(int dev, unsigned flags) { (void)dev, (void)flags; BEGIN(); DONE(OK); }
Result cuDevicePrimaryCtxRetain(Handle *context, int dev) {
  BEGIN();
  contexts++;
  live++;
  if (contexts_file() >= 0) hold_context();
  *context = 0xc0de0000u + (unsigned)dev;
  DONE(OK);
}
Result cuDevicePrimaryCtxRelease_v2(int dev) {
  (void)dev;
  BEGIN();
  if (contexts == 0) DONE(INVALID_CONTEXT);
  live--;
  if (--contexts == 0) {
    sticky = OK;
    drop_context();
  }
  DONE(OK);
}
Result cuCtxSetCurrent(Handle context) { BEGIN(); DONE(context >> 16 == 0xc0de ? OK : INVALID_CONTEXT); }
Result cuCtxSetLimit(int limit, size_t value) { (void)limit, (void)value; BEGIN_IN_CONTEXT(); DONE(OK); }
Result cuCtxResetPersistingL2Cache(void) { BEGIN_IN_CONTEXT(); DONE(OK); }
Result cuCtxSynchronize(void) { BEGIN_IN_CONTEXT(); wait_for_device(); DONE(sticky); }

/* ---- Modules. ---- */

Result cuModuleLoadDataEx(Handle *module, const void *image, unsigned options, int *names, void **values) {
  BEGIN_IN_CONTEXT();
  if (memcmp(image, "\177ELF", 4) == 0) DONE(NO_BINARY_FOR_GPU); /* The virtual GPU reads PTX alone. */
  char *log = NULL;
  uint64_t log_bytes = 0;
  for (unsigned i = 0; i < options; i++) {
    if (names[i] == 5) log = values[i];
    if (names[i] == 6) log_bytes = (uint64_t)values[i];
  }
  int64_t id = device(LOAD, log_bytes, 0, 0, image, log);
  if (id < 0) DONE((Result)-id);
  *module = (Handle)id;
  live++;
  DONE(OK);
}
Result cuModuleUnload(Handle module) {
  BEGIN_IN_CONTEXT();
  if (device(UNLOAD, module, 0, 0, NULL, NULL) < 0) DONE(INVALID_HANDLE);
  live--;
  DONE(OK);
}
Result cuModuleGetFunction(Handle *function, Handle module, const char *name) {
  BEGIN_IN_CONTEXT();
  int64_t id = device(FUNCTION, module, 0, 0, name, NULL);
  if (id < 0) DONE((Result)-id);
  *function = (Handle)id;
  DONE(OK);
}
Result cuModuleGetGlobal_v2(uint64_t *address, size_t *bytes, Handle module, const char *name) {
  BEGIN_IN_CONTEXT();
  uint64_t out[2] = { 0, 0 };
  int64_t status = device(GLOBAL, module, 0, 0, name, out);
  if (status < 0) DONE((Result)-status);
  if (address) *address = out[0];
  if (bytes) *bytes = out[1];
  DONE(OK);
}
Result cuFuncSetAttribute(Handle function, int attribute, int value) { (void)function, (void)attribute, (void)value; BEGIN_IN_CONTEXT(); DONE(OK); }
Result cuFuncGetAttribute(int *value, int attribute, Handle function) { (void)function, (void)attribute; BEGIN_IN_CONTEXT(); *value = 0; DONE(OK); }

/* ---- Memory. ---- */

static uint64_t allocated;
static struct { uint64_t address, bytes; } blocks[4096];

Result cuMemGetInfo_v2(size_t *available, size_t *total) {
  BEGIN_IN_CONTEXT();
  *total = (size_t)number("ASSAY_FAKE_MEMORY_MIB", 1024) << 20;
  *available = *total - allocated;
  DONE(OK);
}
Result cuMemAlloc_v2(uint64_t *address, size_t bytes) {
  BEGIN_IN_CONTEXT();
  if (bytes == 0) DONE(INVALID_VALUE);
  if (allocated + bytes > (uint64_t)number("ASSAY_FAKE_MEMORY_MIB", 1024) << 20) DONE(OUT_OF_MEMORY);
  int slot = 0;
  while (slot < 4096 && blocks[slot].address) slot++;
  int64_t at = slot < 4096 ? device(ALLOC, bytes, 0, 0, NULL, NULL) : 0;
  if (at <= 0) DONE(OUT_OF_MEMORY);
  blocks[slot].address = (uint64_t)at;
  blocks[slot].bytes = bytes;
  allocated += bytes;
  live++;
  *address = (uint64_t)at;
  DONE(OK);
}
Result cuMemFree_v2(uint64_t address) {
  BEGIN_IN_CONTEXT();
  for (int i = 0; i < 4096; i++) {
    if (blocks[i].address != address || !address) continue;
    allocated -= blocks[i].bytes;
    live--;
    blocks[i].address = 0;
    device(FREE, address, 0, 0, NULL, NULL);
    DONE(OK);
  }
  DONE(INVALID_VALUE);
}
Result cuMemAllocHost_v2(void **memory, size_t bytes) { BEGIN_IN_CONTEXT(); *memory = malloc(bytes); live++; DONE(OK); }
Result cuMemFreeHost(void *memory) { BEGIN_IN_CONTEXT(); free(memory); live--; DONE(OK); }
Result cuMemcpyHtoD_v2(uint64_t to, const void *from, size_t bytes) {
  BEGIN_IN_CONTEXT();
  device(WRITE, to, bytes, 0, from, NULL);
  busy(1000 + (int64_t)bytes / 20);
  wait_for_device();
  DONE(OK);
}
Result cuMemcpyDtoH_v2(void *to, uint64_t from, size_t bytes) {
  BEGIN_IN_CONTEXT();
  wait_for_device();
  device(READ, from, bytes, 0, NULL, to);
  host_ns += 1000 + (int64_t)bytes / 20;
  DONE(sticky);
}
Result cuMemcpyHtoDAsync_v2(uint64_t to, const void *from, size_t bytes, Handle stream) {
  BEGIN_IN_CONTEXT();
  Operation op = { .what = WRITE, .a = to, .b = (uint64_t)from, .c = bytes };
  DONE(enqueue(stream, &op));
}
Result cuMemcpyDtoDAsync_v2(uint64_t to, uint64_t from, size_t bytes, Handle stream) {
  BEGIN_IN_CONTEXT();
  Operation op = { .what = COPY, .a = to, .b = from, .c = bytes };
  DONE(enqueue(stream, &op));
}
static Result set(uint64_t to, uint64_t pattern, uint64_t width, uint64_t count, Handle stream) {
  Operation op = { .what = SET, .a = to, .b = pattern | width << 32, .c = count };
  return enqueue(stream, &op);
}
Result cuMemsetD8Async(uint64_t to, unsigned char value, size_t count, Handle stream) { BEGIN_IN_CONTEXT(); DONE(set(to, value, 1, count, stream)); }
Result cuMemsetD16Async(uint64_t to, unsigned short value, size_t count, Handle stream) { BEGIN_IN_CONTEXT(); DONE(set(to, value, 2, count, stream)); }
Result cuMemsetD32Async(uint64_t to, unsigned value, size_t count, Handle stream) { BEGIN_IN_CONTEXT(); DONE(set(to, value, 4, count, stream)); }

/* ---- Streams, launches, events, graphs. ---- */

Result cuStreamCreate(Handle *stream, unsigned flags) {
  (void)flags;
  BEGIN_IN_CONTEXT();
  Stream *made = calloc(1, sizeof *made);
  made->magic = STREAM;
  *stream = (Handle)made;
  live++;
  DONE(OK);
}
Result cuStreamDestroy_v2(Handle stream) {
  BEGIN_IN_CONTEXT();
  if (!stream_of(stream)) DONE(INVALID_HANDLE);
  if (stream_of(stream)->captured) release(stream_of(stream)->captured);
  stream_of(stream)->magic = 0;
  live--;
  free((void *)stream);
  DONE(OK);
}
Result cuStreamSynchronize(Handle stream) {
  BEGIN_IN_CONTEXT();
  if (!stream_of(stream)) DONE(INVALID_HANDLE);
  if (stream_of(stream)->captured) DONE(CAPTURE_UNSUPPORTED);
  wait_for_device();
  DONE(sticky);
}

typedef struct { uint32_t grid[3], block[3], shared; Handle stream; const uint32_t *attributes; uint32_t attribute_count; } LaunchConfig;
#define ATTRIBUTE_WORDS 18 /* CUlaunchAttribute: 72 bytes, the id first, the value at byte 8 */

Result cuLaunchKernelEx(const LaunchConfig *config, Handle function, void **parameters, void **extra) {
  BEGIN_IN_CONTEXT();
  if (extra) DONE(INVALID_VALUE);
  Operation op = { .what = LAUNCH, .a = function };
  for (int i = 0; i < 3; i++) op.shape[i] = config->grid[i], op.shape[3 + i] = config->block[i], op.shape[7 + i] = 1;
  op.shape[6] = config->shared;
  for (uint32_t i = 0; i < config->attribute_count; i++) {
    const uint32_t *attribute = config->attributes + i * ATTRIBUTE_WORDS;
    if (attribute[0] == 2) op.shape[10] = attribute[2];
    if (attribute[0] == 4) memcpy(op.shape + 7, attribute + 2, 12);
  }
  uint32_t sizes[257];
  int64_t count = device(PARAMETERS, function, 0, 0, NULL, sizes);
  if (count < 0) DONE(INVALID_HANDLE);
  unsigned char blob[8192];
  for (int64_t i = 0; i < count; i++) {
    if (op.blob_bytes + sizes[i] > sizeof blob) DONE(INVALID_VALUE);
    memcpy(blob + op.blob_bytes, parameters[i], sizes[i]);
    op.blob_bytes += sizes[i];
  }
  op.blob = blob;
  DONE(enqueue(config->stream, &op));
}

Result cuEventCreate(Handle *event, unsigned flags) {
  (void)flags;
  BEGIN_IN_CONTEXT();
  Event *made = calloc(1, sizeof *made);
  made->magic = EVENT;
  *event = (Handle)made;
  live++;
  DONE(OK);
}
Result cuEventDestroy_v2(Handle event) {
  BEGIN_IN_CONTEXT();
  if (((Event *)event)->magic != EVENT) DONE(INVALID_HANDLE);
  live--;
  free((void *)event);
  DONE(OK);
}
Result cuEventRecord(Handle event, Handle stream) {
  BEGIN_IN_CONTEXT();
  if (!stream_of(stream)) DONE(INVALID_HANDLE);
  busy(200);
  ((Event *)event)->at = device_ns;
  DONE(OK);
}
Result cuEventElapsedTime(float *milliseconds, Handle start, Handle end) {
  BEGIN_IN_CONTEXT();
  int64_t tick = number("ASSAY_FAKE_TICK_NS", 500);
  int64_t took = ((Event *)end)->at / tick * tick - ((Event *)start)->at / tick * tick;
  *milliseconds = (float)((double)took / 1e6) * (lying ? 0.1f : 1.0f);
  DONE(OK);
}

Result cuStreamBeginCapture_v2(Handle stream, int mode) {
  (void)mode;
  BEGIN_IN_CONTEXT();
  if (!stream_of(stream) || stream_of(stream)->captured) DONE(INVALID_HANDLE);
  Graph *graph = calloc(1, sizeof *graph);
  graph->magic = GRAPH;
  live++;
  stream_of(stream)->captured = graph;
  DONE(OK);
}
Result cuStreamEndCapture(Handle stream, Handle *graph) {
  BEGIN_IN_CONTEXT();
  if (!stream_of(stream) || !stream_of(stream)->captured) DONE(CAPTURE_UNMATCHED);
  *graph = (Handle)stream_of(stream)->captured;
  stream_of(stream)->captured = NULL;
  DONE(OK);
}
Result cuGraphInstantiateWithFlags(Handle *exec, Handle graph, unsigned long long flags) {
  (void)flags;
  BEGIN_IN_CONTEXT();
  if (((Graph *)graph)->magic != GRAPH) DONE(INVALID_HANDLE);
  *exec = (Handle)copy_of((Graph *)graph, EXEC);
  DONE(OK);
}
Result cuGraphUpload(Handle exec, Handle stream) { BEGIN_IN_CONTEXT(); DONE(((Graph *)exec)->magic == EXEC && stream_of(stream) ? OK : INVALID_HANDLE); }
Result cuGraphLaunch(Handle exec, Handle stream) {
  BEGIN_IN_CONTEXT();
  if (((Graph *)exec)->magic != EXEC || !stream_of(stream)) DONE(INVALID_HANDLE);
  host_ns += 4000;
  Result result = OK;
  for (Operation *op = ((Graph *)exec)->first; op && result == OK && sticky == OK; op = op->next) result = perform(op);
  DONE(result);
}
Result cuGraphExecDestroy(Handle exec) { BEGIN_IN_CONTEXT(); if (((Graph *)exec)->magic != EXEC) DONE(INVALID_HANDLE); release((Graph *)exec); DONE(OK); }
Result cuGraphDestroy(Handle graph) { BEGIN_IN_CONTEXT(); if (((Graph *)graph)->magic != GRAPH) DONE(INVALID_HANDLE); release((Graph *)graph); DONE(OK); }

/* ---- cuBLAS: plain sums in double precision. ---- */

static int cublas_open;
Result cublasCreate_v2(Handle *handle) { BEGIN_IN_CONTEXT(); cublas_open++; live++; *handle = 0xb1a5; DONE(OK); }
Result cublasDestroy_v2(Handle handle) { (void)handle; BEGIN(); if (cublas_open == 0) DONE(1); cublas_open--; live--; DONE(OK); }
Result cublasGetVersion_v2(Handle handle, int *version) { (void)handle; BEGIN(); *version = 0; DONE(OK); }
static Handle cublas_stream;
Result cublasSetStream_v2(Handle handle, Handle stream) { (void)handle; BEGIN_IN_CONTEXT(); cublas_stream = stream; DONE(stream_of(stream) ? OK : 7); }
Result cublasSetWorkspace_v2(Handle handle, uint64_t at, size_t bytes) { (void)handle, (void)bytes; BEGIN_IN_CONTEXT(); DONE(at ? OK : 7); }

enum { F32 = 0, F16 = 2, BF16 = 14 };
static double element(const unsigned char *bytes, int type, int64_t i) {
  if (type == F32) { float v; memcpy(&v, bytes + 4 * i, 4); return v; }
  uint16_t h;
  memcpy(&h, bytes + 2 * i, 2);
  uint32_t bits = (uint32_t)h << 16;
  if (type == F16) { _Float16 v; memcpy(&v, &h, 2); return (double)v; }
  float v;
  memcpy(&v, &bits, 4);
  return v;
}
static void put(unsigned char *bytes, int type, int64_t i, double value) {
  float v = (float)value;
  if (type == F32) { memcpy(bytes + 4 * i, &v, 4); return; }
  if (type == F16) { _Float16 h = (_Float16)value; memcpy(bytes + 2 * i, &h, 2); return; }
  uint32_t bits;
  memcpy(&bits, &v, 4);
  uint16_t h = (uint16_t)((bits + 0x7fff + (bits >> 16 & 1)) >> 16); /* to nearest, ties to even */
  memcpy(bytes + 2 * i, &h, 2);
}
static Result multiply(const Product *p) {
  size_t size = p->type == F32 ? 4 : 2;
  size_t sizes[3] = { (size_t)p->lda * (size_t)(p->transa ? p->m : p->k) * size, (size_t)p->ldb * (size_t)(p->transb ? p->k : p->n) * size,
                      (size_t)p->ldc * (size_t)p->n * size };
  unsigned char *matrix[3];
  for (int i = 0; i < 3; i++) matrix[i] = malloc(sizes[i] ? sizes[i] : 1);
  for (int one = 0; one < p->batch; one++) {
    for (int i = 0; i < 2; i++) device(READ, p->at[i] + (uint64_t)(one * p->strides[i]) * size, sizes[i], 0, NULL, matrix[i]);
    for (int64_t c = 0; c < p->n; c++)
      for (int64_t r = 0; r < p->m; r++) {
        double sum = 0;
        for (int64_t k = 0; k < p->k; k++)
          sum += element(matrix[0], p->type, p->transa ? k + r * p->lda : r + k * p->lda) *
                 element(matrix[1], p->type, p->transb ? c + k * p->ldb : k + c * p->ldb);
        put(matrix[2], p->type, r + c * p->ldc, sum);
      }
    device(WRITE, p->at[2] + (uint64_t)(one * p->strides[2]) * size, sizes[2], 0, matrix[2], NULL);
  }
  for (int i = 0; i < 3; i++) free(matrix[i]);
  busy(1000 + (int64_t)p->m * p->n * p->k * p->batch / 2000);
  return OK;
}
Result cublasGemmStridedBatchedEx(Handle handle, int transa, int transb, int m, int n, int k, const float *alpha, uint64_t a, int atype, int lda,
                                  int64_t stridea, uint64_t b, int btype, int ldb, int64_t strideb, const float *beta, uint64_t c, int ctype, int ldc,
                                  int64_t stridec, int batch, int compute, int algorithm) {
  (void)handle;
  BEGIN_IN_CONTEXT();
  int fits = lda >= (transa ? k : m) && ldb >= (transb ? n : k) && ldc >= m;
  if (cublas_open == 0 || !fits || *alpha != 1 || *beta != 0 || algorithm != -1 || (compute != 68 && compute != 77)) DONE(7);
  if (atype != btype || atype != ctype || (atype != F32 && atype != F16 && atype != BF16)) DONE(15);
  Product product = { transa, transb, m, n, k, atype, lda, ldb, ldc, batch, { stridea, strideb, stridec }, { a, b, c } };
  Operation op = { .what = PRODUCT, .blob = (unsigned char *)&product, .blob_bytes = sizeof product };
  DONE(enqueue(cublas_stream, &op));
}

/* ---- NVML. ---- */

#define NVML_BEGIN() { Result f_ = fault(__func__); if (f_ != OK) DONE(f_); }

Result nvmlInit_v2(void) { NVML_BEGIN(); DONE(OK); }
Result nvmlShutdown(void) { NVML_BEGIN(); DONE(OK); }
Result nvmlSystemGetDriverVersion(char *text, unsigned length) { NVML_BEGIN(); snprintf(text, length, "0.0 (fake)"); DONE(OK); }
Result nvmlDeviceGetHandleByUUID(const char *uuid, Handle *out) { NVML_BEGIN(); *out = 0xd0; DONE(strncmp(uuid, "GPU-", 4) == 0 ? OK : 2); }
Result nvmlDeviceGetClockInfo(Handle dev, int type, unsigned *out) { (void)dev; NVML_BEGIN(); *out = type == 2 ? 3201 : (unsigned)clock_now(); DONE(OK); }
Result nvmlDeviceGetTemperature(Handle dev, int sensor, unsigned *out) { (void)dev, (void)sensor; NVML_BEGIN(); *out = (unsigned)now_of("ASSAY_FAKE_TEMPERATURE", 40); DONE(OK); }
Result nvmlDeviceGetPowerUsage(Handle dev, unsigned *out) { (void)dev; NVML_BEGIN(); *out = 250000; DONE(OK); }
Result nvmlDeviceGetCurrentClocksThrottleReasons(Handle dev, unsigned long long *out) { (void)dev; NVML_BEGIN(); *out = (unsigned long long)now_of("ASSAY_FAKE_THROTTLE", 0); DONE(OK); }
Result nvmlDeviceGetComputeRunningProcesses_v3(Handle dev, unsigned *count, void *list) { (void)dev, (void)list; NVML_BEGIN(); *count = (unsigned)now_of("ASSAY_FAKE_PROCESSES", contexts_file() >= 0 ? count_contexts() : 1); DONE(OK); }

/* ---- For several tests in one process. ---- */

/* Counts calls from one again, and gives up what is left. */
void assay_fake_restart(void) {
  for (int i = 0; i < MOST_NAMES; i++) counted[i].calls = 0;
  for (int i = 0; i < 4096; i++) {
    if (blocks[i].address) device(FREE, blocks[i].address, 0, 0, NULL, NULL);
    blocks[i].address = 0;
  }
  drop_context();
  cublas_open = 0, contexts = 0, sticky = OK, lying = 0, live = 0, allocated = 0;
}

// SPDX-License-Identifier: Apache-2.0
//
// How it works: a body is a gzip member of a stored block, which holds the envelope's and the item's header and the
// beginning of the event with its id, and of compressed blocks with the rest. A new id is written into the stored block
// and the member's checksum is put together from that of the head, made anew, and that of the rest (CRC-32 of a
// concatenation, zlib's crc32_combine).
//
//   gzip head, 10 | 00 LEN ~LEN | head: ids in plain text | deflate: rest of the event | CRC-32 | length
#include "sentry_payload.h"

#include <stdlib.h>
#include <zlib.h>

#include "base/buffer.h"
#include "base/clock.h"
#include "base/hash.h"
#include "base/json.h"

#define HEAD_AT     15 // the stored block's bytes in a body
#define EVENT_MAX   ((size_t)4 << 20)
#define GZIP_LEVEL  9     // the SDK's
#define LARGE_BYTES 20000 // many frames and modules
#define FRAME_BYTES 1250  // about
#define CRUMB_BYTES 165   // likewise
#define ID_BYTES    47    // of an event's id, its key and its brace

struct body {
  uint8_t *bytes;
  size_t len, head_len;
  size_t id_at[2];
  uint32_t tail_crc;
  uint64_t tail_len;
};

struct sentry_payload {
  struct body *bodies;
  uint32_t count;
  uint64_t event_bytes, sent_bytes;
  uint64_t state, id;
};

static const char *const words[] = {"order",    "customer", "basket",  "payment", "shipping", "invoice",  "address",
                                    "discount", "session",  "voucher", "stock",   "carrier",  "currency", "warehouse",
                                    "refund",   "partner",  "quote",   "tariff",  "parcel",   "article",  "queue",
                                    "retry",    "cursor",   "locale",  "channel", "delivery", "account",  "balance",
                                    "segment",  "campaign", "receipt", "ledger"};

static uint64_t draw(struct sentry_payload *payload) { // splitmix64
  uint64_t z = payload->state += UINT64_C(0x9e3779b97f4a7c15);
  z = (z ^ z >> 30) * UINT64_C(0xbf58476d1ce4e5b9);
  z = (z ^ z >> 27) * UINT64_C(0x94d049bb133111eb);
  return z ^ z >> 31;
}

static const char *word(struct sentry_payload *payload) {
  return words[draw(payload) % (sizeof words / sizeof words[0])];
}

static unsigned number(struct sentry_payload *payload, unsigned below) {
  return (unsigned)(draw(payload) % below);
}

// One local variable, as the SDK writes reprs.
static void write_variable(struct sentry_payload *payload, struct buffer *out, bool first) {
  const char *name = word(payload);
  unsigned which = number(payload, 100);
  buffer_printf(out, "%s\"%s_%s\":", first ? "" : ",", name, word(payload));
  if (which < 30) {
    buffer_printf(out, "\"<%s object at 0x7f%010llx>\"", name, (unsigned long long)(draw(payload) & 0xffffffffff));
  } else if (which < 50) {
    buffer_printf(out, "\"'%s-%06u'\"", name, number(payload, 1000000));
  } else if (which < 65) {
    buffer_printf(out, "\"%u\"", number(payload, 100000));
  } else if (which < 75) {
    buffer_printf(out, "{\"id\":\"%u\",\"%s\":\"'%s'\",\"total\":\"Decimal('%u.%02u')\",\"lines\":[\"%u\",\"%u\"]}",
                  number(payload, 90000), word(payload), word(payload), number(payload, 900), number(payload, 100),
                  number(payload, 99), number(payload, 99));
  } else if (which < 85) {
    buffer_printf(out, "\"datetime.datetime(2026, 11, %u, %u, %u, tzinfo=datetime.timezone.utc)\"",
                  1 + number(payload, 28), number(payload, 24), number(payload, 60));
  } else if (which < 95) {
    buffer_printf(out, "\"'%s %s was not found for %s %u in %s'\"", word(payload), name, word(payload),
                  number(payload, 5000), word(payload));
  } else if (which < 97) {
    buffer_printf(out, "\"'%s.%s@example.com'\"", word(payload), word(payload));
  } else {
    buffer_append_cstr(out, "\"None\"");
  }
}

static void write_frame(struct sentry_payload *payload, struct buffer *out, uint32_t issue, uint32_t depth,
                        bool in_app) {
  // The same frames in every event of an issue: their names are drawn from the issue's number.
  const char *module = words[(issue * 7 + depth * 3) % 32], *function = words[(issue + depth * 5) % 32];
  const char *package = in_app ? "shop" : depth % 2 ? "django.core" : "urllib3";
  unsigned line = 20 + (issue * 31 + depth * 17) % 700;
  buffer_printf(
      out,
      "%s{\"filename\":\"%s/%s/%s_%u.py\",\"abs_path\":\"/srv/app/venv/lib/python3.12/site-packages/%s/%s/%s_%u.py\","
      "\"function\":\"%s_%s\",\"module\":\"%s.%s.%s_%u\",\"lineno\":%u,\"pre_context\":[",
      depth ? "," : "", package, module, function, depth, package, module, function, depth, function, module, package,
      module, function, depth, line);
  for (unsigned i = 0; i < 5; i++) {
    buffer_printf(out, "%s\"        %s = self.%s.get_%s(%s=%s)\"", i ? "," : "", words[(line + i) % 32],
                  words[(line + 2 * i) % 32], words[(line + 3 * i) % 32], words[(line + 5 * i) % 32],
                  words[(line + 7 * i) % 32]);
  }
  buffer_printf(out, "],\"context_line\":\"        return self.%s(%s, retry=%u)\",\"post_context\":[", function, module,
                line % 5);
  for (unsigned i = 0; i < 5; i++) {
    buffer_printf(out, "%s\"    def %s_%s(self, %s):\"", i ? "," : "", words[(line + 4 * i) % 32],
                  words[(line + 6 * i) % 32], words[(line + 9 * i) % 32]);
  }
  buffer_append_cstr(out, "],\"vars\":{");
  for (unsigned i = 0; i < 8; i++) write_variable(payload, out, i == 0);
  buffer_printf(out, "},\"in_app\":%s}", in_app ? "true" : "false");
}

static void write_crumb(struct sentry_payload *payload, struct buffer *out, bool first) {
  unsigned which = number(payload, 10);
  buffer_append_cstr(out, first ? "{" : ",{");
  if (which < 4) {
    buffer_printf(
        out,
        "\"type\":\"http\",\"category\":\"httplib\",\"data\":{\"url\":\"http://%s.internal/v1/%s/%u\","
        "\"http.method\":\"GET\",\"http.fragment\":\"\",\"http.query\":\"%s=%u&locale=de\",\"status_code\":200,"
        "\"reason\":\"OK\"}",
        word(payload), word(payload), number(payload, 10000), word(payload), number(payload, 100));
  } else if (which < 7) {
    buffer_printf(out,
                  "\"category\":\"query\",\"message\":\"SELECT %s.id, %s.%s FROM %s WHERE %s.%s = %%s LIMIT 21\","
                  "\"data\":{\"db.system\":\"postgresql\"}",
                  word(payload), word(payload), word(payload), word(payload), word(payload), word(payload));
  } else {
    buffer_printf(
        out,
        "\"type\":\"log\",\"level\":\"info\",\"category\":\"shop.%s\",\"message\":\"%s %s took %u ms for %s %u\","
        "\"data\":{}",
        word(payload), word(payload), word(payload), number(payload, 900), word(payload), number(payload, 100000));
  }
  buffer_printf(out, ",\"timestamp\":\"2026-11-21T12:%02u:%02u.%06uZ\"}", number(payload, 60), number(payload, 60),
                number(payload, 1000000));
}

static void write_request(struct sentry_payload *payload, struct buffer *out) {
  buffer_printf(
      out,
      "\"request\":{\"url\":\"https://shop.example.com/%s/%u/%s\",\"query_string\":\"page=%u&sort=%s\",\"method\":"
      "\"POST\",\"env\":{\"SERVER_NAME\":\"web-%u\",\"SERVER_PORT\":\"443\"},\"headers\":{\"Host\":"
      "\"shop.example.com\",\"User-Agent\":\"Mozilla/5.0 (X11; Linux x86_64; rv:128.0) Gecko/20100101 "
      "Firefox/128.0\",\"Accept\":\"application/json, text/plain, */*\",\"Accept-Language\":\"de,en;q=0.5\","
      "\"Accept-Encoding\":\"gzip, deflate, br\",\"Content-Type\":\"application/json\",\"X-Request-Id\":\"%016llx\","
      "\"Authorization\":\"[Filtered]\",\"Cookie\":\"sessionid=%016llx; theme=dark\",\"Content-Length\":\"%u\","
      "\"Connection\":\"keep-alive\"},\"data\":{\"%s\":\"%u\",\"coupon\":\"%s\",\"password\":\"hunter2\"}},",
      word(payload), number(payload, 9999), word(payload), number(payload, 50), word(payload), number(payload, 20),
      (unsigned long long)draw(payload), (unsigned long long)draw(payload), number(payload, 900), word(payload),
      number(payload, 99), word(payload));
}

static void write_surroundings(struct sentry_payload *payload, struct buffer *out, uint32_t modules) {
  buffer_printf(
      out,
      "\"contexts\":{\"runtime\":{\"name\":\"CPython\",\"version\":\"3.12.4\",\"build\":\"3.12.4 (main, Jun  8 "
      "2024) [GCC 12.2.0]\"},\"trace\":{\"trace_id\":\"%016llx%016llx\",\"span_id\":\"%016llx\",\"parent_span_id\":"
      "null,\"op\":\"http.server\"}},\"transaction\":\"/shop/%s/{id}\",\"transaction_info\":{\"source\":\"route\"},"
      "\"release\":\"shop@4.17.%u\",\"environment\":\"production\",\"server_name\":\"web-%u\",\"platform\":"
      "\"python\",\"sdk\":{\"name\":\"sentry.python.django\",\"version\":\"2.19.2\",\"packages\":[{\"name\":"
      "\"pypi:sentry-sdk\",\"version\":\"2.19.2\"}],\"integrations\":[\"argv\",\"atexit\",\"dedupe\",\"django\","
      "\"excepthook\",\"logging\",\"modules\",\"stdlib\",\"threading\"]},\"user\":{\"id\":\"%u\"},\"tags\":{"
      "\"tenant\":\"t-%u\",\"region\":\"eu-%u\"},\"extra\":{\"sys.argv\":[\"/srv/app/manage.py\",\"runserver\"]},"
      "\"modules\":{",
      (unsigned long long)draw(payload), (unsigned long long)draw(payload), (unsigned long long)draw(payload),
      word(payload), number(payload, 4), number(payload, 20), number(payload, 50000), number(payload, 30),
      number(payload, 4));
  for (uint32_t i = 0; i < modules; i++) {
    buffer_printf(out, "%s\"%s-%s%u\":\"%u.%u.%u\"", i ? "," : "", words[i % 32], words[i * 7 % 32], i, i % 9, i % 13,
                  i % 5);
  }
  buffer_append_cstr(out, "}");
}

// The event without its first brace and id: frames, what surrounds them, then breadcrumbs until it is long enough.
static void write_event(struct sentry_payload *payload, struct buffer *out, uint32_t issue, uint32_t bytes) {
  uint32_t frames = bytes >= LARGE_BYTES ? bytes / 2 / FRAME_BYTES : 1, modules = bytes >= LARGE_BYTES ? 80 : 8;
  buffer_printf(
      out,
      "\"level\":\"error\",\"timestamp\":\"%s\",\"exception\":{\"values\":[{\"mechanism\":{\"type\":\"django\","
      "\"handled\":false},\"module\":\"shop.errors\",\"type\":\"Checkout%uError\",\"value\":\"%s %u of %s %u could "
      "not be booked\",\"stacktrace\":{\"frames\":[",
      "2026-11-21T12:00:00.000000Z", issue, word(payload), number(payload, 10000), word(payload),
      number(payload, 10000));
  for (uint32_t i = 0; i < frames; i++) write_frame(payload, out, issue, i, frames == 1 || i >= frames / 2);
  buffer_append_cstr(out, "]}}]},");
  write_request(payload, out);
  write_surroundings(payload, out, modules);
  buffer_append_cstr(out, ",\"breadcrumbs\":{\"values\":[");
  for (bool first = true; out->len + ID_BYTES + CRUMB_BYTES / 2 < bytes; first = false)
    write_crumb(payload, out, first);
  buffer_append_cstr(out, "]}}\n");
}

static void put_u16(uint8_t *to, size_t value) {
  to[0] = (uint8_t)value;
  to[1] = (uint8_t)(value >> 8);
}

static void put_u32(uint8_t *to, uint64_t value) {
  for (int i = 0; i < 4; i++) to[i] = (uint8_t)(value >> 8 * i);
}

static void deflate_into(struct slice text, struct buffer *out) {
  z_stream z = {0};
  ASSERT(deflateInit2(&z, GZIP_LEVEL, Z_DEFLATED, -15, 8, Z_DEFAULT_STRATEGY) == Z_OK);
  size_t room = deflateBound(&z, text.len);
  uint8_t *to = buffer_reserve(out, room);
  ASSERT(to != NULL);
  z.next_in = (uint8_t *)(uintptr_t)text.ptr;
  z.avail_in = (uInt)text.len;
  z.next_out = to;
  z.avail_out = (uInt)room;
  ASSERT(deflate(&z, Z_FINISH) == Z_STREAM_END);
  out->len += room - z.avail_out;
  deflateEnd(&z);
}

static void make_body(struct sentry_payload *payload, struct body *body, uint32_t issue, uint32_t bytes) {
  static const char no_id[] = "00000000000000000000000000000000";
  char sent_at[CLOCK_RFC3339_BYTES];
  clock_format_rfc3339(clock_wall_ns(clock_system()), sent_at);
  struct buffer event, head, out;
  buffer_init(&event, EVENT_MAX);
  buffer_init(&head, 4096);
  buffer_init(&out, EVENT_MAX);
  write_event(payload, &event, issue, bytes);
  struct slice rest = buffer_slice(&event);
  size_t event_len = rest.len - 1 + sizeof("{\"event_id\":\"\",") - 1 + 32; // the line feed is the envelope's
  buffer_append_cstr(&head, "{\"event_id\":\"");
  body->id_at[0] = HEAD_AT + head.len;
  buffer_printf(&head, "%s\",\"sent_at\":\"%s\",\"trace\":{\"environment\":\"production\"}}\n", no_id, sent_at);
  buffer_printf(&head, "{\"type\":\"event\",\"content_type\":\"application/json\",\"length\":%zu}\n{\"event_id\":\"",
                event_len);
  body->id_at[1] = HEAD_AT + head.len;
  buffer_printf(&head, "%s\",", no_id);
  static const uint8_t gzip_head[10] = {0x1f, 0x8b, 8, 0, 0, 0, 0, 0, 2, 255};
  uint8_t stored[5] = {0};
  put_u16(stored + 1, head.len);
  put_u16(stored + 3, ~head.len & 0xffff);
  buffer_append(&out, gzip_head, sizeof gzip_head);
  buffer_append(&out, stored, sizeof stored);
  buffer_append_slice(&out, buffer_slice(&head));
  deflate_into(rest, &out);
  uint8_t trailer[8];
  put_u32(trailer + 4, head.len + rest.len);
  buffer_append(&out, trailer, sizeof trailer);
  ASSERT(!out.failed && !event.failed && !head.failed);
  body->head_len = head.len;
  body->tail_crc = (uint32_t)crc32(0, rest.ptr, (uInt)rest.len);
  body->tail_len = rest.len;
  body->len = out.len;
  body->bytes = malloc(out.len);
  ASSERT(body->bytes != NULL);
  memcpy(body->bytes, out.ptr, out.len);
  payload->event_bytes += event_len;
  payload->sent_bytes += out.len;
  buffer_finish(&event);
  buffer_finish(&head);
  buffer_finish(&out);
}

struct sentry_payload *sentry_payload_create(const struct sentry_payload_options *options) {
  struct sentry_payload *payload = calloc(1, sizeof *payload);
  ASSERT(payload != NULL && options->distinct > 0 && options->issues > 0);
  payload->state = options->seed;
  payload->id = random_u64();
  payload->bodies = calloc(options->distinct, sizeof *payload->bodies);
  ASSERT(payload->bodies != NULL);
  payload->count = options->distinct;
  for (uint32_t i = 0; i < options->distinct; i++)
    make_body(payload, &payload->bodies[i], options->first_one + i % options->issues, options->bytes);
  return payload;
}

void sentry_payload_destroy(struct sentry_payload *payload) {
  if (!payload) return;
  for (uint32_t i = 0; i < payload->count; i++) free(payload->bodies[i].bytes);
  free(payload->bodies);
  free(payload);
}

struct slice sentry_payload_next(struct sentry_payload *payload, uint64_t number_of_send) {
  struct body *body = &payload->bodies[number_of_send % payload->count];
  uint64_t id[2] = {payload->id, number_of_send};
  char hex[33];
  slice_to_hex(slice_make(id, sizeof id), hex);
  for (int i = 0; i < 2; i++) memcpy(body->bytes + body->id_at[i], hex, 32);
  uint64_t head_crc = crc32(0, body->bytes + HEAD_AT, (uInt)body->head_len);
  put_u32(body->bytes + body->len - 8, crc32_combine(head_crc, body->tail_crc, (z_off_t)body->tail_len));
  return slice_make(body->bytes, body->len);
}

uint32_t sentry_payload_event_bytes(const struct sentry_payload *payload) {
  return (uint32_t)(payload->event_bytes / payload->count);
}

uint32_t sentry_payload_sent_bytes(const struct sentry_payload *payload) {
  return (uint32_t)(payload->sent_bytes / payload->count);
}

// SPDX-License-Identifier: Apache-2.0
//
// Projects in the running program, over a real database: keys, scrubbing and limits follow what is written, by this
// process at once and by another within PROJECT_DIRECTORY_LAG_NS.
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include "base/thread.h"
#include "collector/project_directory.h"
#include "store/project_settings.h"
#include "tests/unit/store/temporary.h"

#define DEADLINE_NS (20 * NS_PER_S)

struct fixture {
  char path[512];
  struct clock_fake clock; // of the keys and the limits
  struct metrics *metrics;
  struct database *database;
  struct project_keys *keys;
  struct sentry_limit *limits;
  struct project_directory *directory;
  struct project first, shop;
};

static struct database *open_database(const char *path) {
  struct database *database = NULL;
  struct error error = {0};
  if (database_open(&(struct database_options){.path = path}, &database, &error) != STATUS_OK)
    fail_msg("%s", error.text);
  return database;
}

static void open_fixture(struct fixture *fixture, void *state) {
  *fixture = (struct fixture){0};
  snprintf(fixture->path, sizeof fixture->path, "%s", temporary_path(state, "d.db"));
  clock_fake_init(&fixture->clock, 1700000000 * NS_PER_S);
  fixture->metrics = metrics_create();
  fixture->database = open_database(fixture->path);
  struct error error = {0};
  assert_int_equal(project_store_ensure_default(fixture->database, clock_system(), &fixture->first, &error), STATUS_OK);
  assert_int_equal(
      project_store_create(fixture->database, clock_system(), SLICE_LITERAL("shop"), &fixture->shop, &error),
      STATUS_OK);
  fixture->keys = project_keys_create(fixture->database, &fixture->clock.clock);
  fixture->limits = sentry_limit_create(fixture->metrics, &fixture->clock.clock);
  static const char *const extra[] = {"tax"}, *const safe[] = {"session_id", "request_id"},
                           *const always[] = {"request_id"};
  struct project_directory_options options = {
      .database = fixture->database,
      .keys = fixture->keys,
      .limits = fixture->limits,
      .scrub = {.enabled = true,
                .defaults = true,
                .extra_keys = extra,
                .extra_key_count = 1,
                .safe_keys = safe,
                .safe_key_count = 2},
      .always_safe = always,
      .always_safe_count = 1,
  };
  if (project_directory_start(&options, &fixture->directory, &error) != STATUS_OK) fail_msg("%s", error.text);
}

static void close_fixture(struct fixture *fixture) {
  project_directory_stop(fixture->directory);
  sentry_limit_destroy(fixture->limits);
  project_keys_destroy(fixture->keys);
  database_close(fixture->database);
  metrics_destroy(fixture->metrics);
}

static void set(struct database *database, uint32_t project, uint32_t members,
                const struct project_settings *settings) {
  struct error error = {0};
  const struct project_settings_change change = {.project = project, .members = members, .settings = settings};
  if (project_settings_change(database, clock_system(), &change, &error) != STATUS_OK) fail_msg("%s", error.text);
}

static enum status find(struct fixture *fixture, const char *key, uint32_t *out_project) {
  struct sentry_auth_project project = {0};
  struct error error = {0};
  enum status status = project_keys_find(fixture->keys, slice_from_cstr(key), &project, &error);
  *out_project = project.id;
  return status;
}

static bool is_sensitive(struct fixture *fixture, uint32_t project, const char *key) {
  struct project_loan loan = project_directory_borrow(fixture->directory, project);
  bool sensitive = scrub_is_enabled(loan.scrub) && scrub_key_is_sensitive(loan.scrub, slice_from_cstr(key));
  project_directory_give_back(fixture->directory, loan);
  return sensitive;
}

static bool may_send(struct fixture *fixture, uint32_t project) {
  struct sentry_limit_note note = {0};
  return sentry_limit_take(fixture->limits, project, SENTRY_LIMIT_ERROR, 1, &note);
}

static void each_project_has_its_own_scrub(void **state) {
  struct fixture fixture;
  open_fixture(&fixture, *state);
  static const char *const secret[] = {"iban_number"}, *const safe[] = {"password"};
  set(fixture.database, fixture.shop.id, 1u << PROJECT_SET_SENSITIVE_KEYS | 1u << PROJECT_SET_SAFE_KEYS,
      &(struct project_settings){.sensitive_keys = {.own = true, .items = secret, .count = 1},
                                 .safe_keys = {.own = true, .items = safe, .count = 1}});
  project_directory_reload(fixture.directory);
  const struct {
    const char *key;
    bool first, shop;
  } rows[] = {{"password", true, false}, {"tax", true, false},         {"iban_number", false, true},
              {"api_key", true, true},   {"session_id", false, false}, {"request_id", false, false}};
  for (int round = 0; round < 2; round++) {
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
      assert_int_equal(is_sensitive(&fixture, fixture.first.id, rows[i].key), rows[i].first);
      assert_int_equal(is_sensitive(&fixture, fixture.shop.id, rows[i].key), rows[i].shop);
      assert_int_equal(is_sensitive(&fixture, 99, rows[i].key), rows[i].first);
    }
  }
  set(fixture.database, fixture.shop.id, 1u << PROJECT_SET_SCRUB_ENABLED,
      &(struct project_settings){.scrub_enabled = PROJECT_OFF});
  project_directory_reload(fixture.directory);
  assert_false(is_sensitive(&fixture, fixture.shop.id, "api_key"));
  assert_true(is_sensitive(&fixture, fixture.first.id, "api_key"));
  close_fixture(&fixture);
}

static void a_loan_stays_good_when_settings_change(void **state) {
  struct fixture fixture;
  open_fixture(&fixture, *state);
  static const char *const secret[] = {"iban_number"};
  const struct project_settings own = {.sensitive_keys = {.own = true, .items = secret, .count = 1}};
  set(fixture.database, fixture.shop.id, 1u << PROJECT_SET_SENSITIVE_KEYS, &own);
  project_directory_reload(fixture.directory);
  struct project_loan loan = project_directory_borrow(fixture.directory, fixture.shop.id);
  struct project_loan standard = project_directory_borrow(fixture.directory, fixture.first.id);
  set(fixture.database, fixture.shop.id, 1u << PROJECT_SET_SENSITIVE_KEYS, &(struct project_settings){0});
  project_directory_reload(fixture.directory);
  assert_false(is_sensitive(&fixture, fixture.shop.id, "iban_number"));
  assert_true(scrub_key_is_sensitive(loan.scrub, SLICE_LITERAL("iban_number"))); // as it was when it began
  assert_true(scrub_key_is_sensitive(standard.scrub, SLICE_LITERAL("tax")));
  project_directory_give_back(fixture.directory, loan);
  project_directory_give_back(fixture.directory, standard);
  close_fixture(&fixture);
}

static void keys_and_limits_hold_when_reload_returns(void **state) {
  struct fixture fixture;
  open_fixture(&fixture, *state);
  struct error error = {0};
  uint32_t project = 0;
  assert_int_equal(find(&fixture, fixture.shop.key, &project), STATUS_OK);
  assert_int_equal(project, fixture.shop.id);
  for (int i = 0; i < 5; i++) {
    struct slice key = slice_from_cstr(fixture.shop.key);
    bool active = i % 2 == 1;
    assert_int_equal(project_store_set_key_active(fixture.database, fixture.shop.id, key, active, &error), STATUS_OK);
    project_directory_reload(fixture.directory);
    assert_int_equal(find(&fixture, fixture.shop.key, &project), active ? STATUS_OK : STATUS_NOT_FOUND);
    assert_int_equal(find(&fixture, fixture.first.key, &project), STATUS_OK);
  }
  set(fixture.database, fixture.shop.id, 1u << PROJECT_SET_LIMIT, &(struct project_settings){.per_minute = {1}});
  project_directory_reload(fixture.directory);
  assert_true(may_send(&fixture, fixture.shop.id));
  assert_false(may_send(&fixture, fixture.shop.id));
  assert_true(may_send(&fixture, fixture.first.id));
  set(fixture.database, fixture.first.id, 1u << PROJECT_SET_LIMIT, &(struct project_settings){.per_minute = {1}});
  project_directory_reload(fixture.directory);
  assert_false(may_send(&fixture, fixture.shop.id)); // another project's change does not refill it
  close_fixture(&fixture);
}

static void a_new_key_is_known_at_its_first_use(void **state) {
  struct fixture fixture;
  open_fixture(&fixture, *state);
  struct error error = {0};
  uint32_t project = 0;
  char key[PROJECT_STORE_KEY_BYTES + 1];
  for (int i = 0; i < 3; i++) {
    assert_int_equal(find(&fixture, "0123456789abcdef0123456789abcdef", &project), STATUS_NOT_FOUND);
    assert_int_equal(project_store_add_key(fixture.database, clock_system(), fixture.shop.id, key, &error), STATUS_OK);
    clock_fake_add(&fixture.clock, NS_PER_S); // unknown keys are looked for once a second
    assert_int_equal(find(&fixture, key, &project), STATUS_OK);
    assert_int_equal(project, fixture.shop.id);
    clock_fake_add(&fixture.clock, NS_PER_S);
  }
  close_fixture(&fixture);
}

// Nobody tells: the thread sees what another process wrote.
static void another_process_is_followed(void **state) {
  struct fixture fixture;
  open_fixture(&fixture, *state);
  struct error error = {0};
  uint32_t project = 0;
  assert_int_equal(find(&fixture, fixture.shop.key, &project), STATUS_OK);
  struct database *other = open_database(fixture.path);
  static const char *const secret[] = {"iban_number"};
  set(other, fixture.shop.id, 1u << PROJECT_SET_SENSITIVE_KEYS | 1u << PROJECT_SET_LIMIT,
      &(struct project_settings){.sensitive_keys = {.own = true, .items = secret, .count = 1}, .per_minute = {1}});
  assert_int_equal(
      project_store_set_key_active(other, fixture.shop.id, slice_from_cstr(fixture.shop.key), false, &error),
      STATUS_OK);
  database_close(other);
  struct mutex mutex;
  struct condition never;
  mutex_init(&mutex);
  condition_init(&never);
  uint64_t end_ns = clock_monotonic_ns(clock_system()) + DEADLINE_NS;
  bool followed = false;
  while (!followed && clock_monotonic_ns(clock_system()) < end_ns) {
    mutex_lock(&mutex);
    condition_wait_for(&never, &mutex, 10 * NS_PER_MS);
    mutex_unlock(&mutex);
    followed = is_sensitive(&fixture, fixture.shop.id, "iban_number") &&
               find(&fixture, fixture.shop.key, &project) == STATUS_NOT_FOUND;
  }
  assert_true(followed);
  assert_true(may_send(&fixture, fixture.shop.id));
  assert_false(may_send(&fixture, fixture.shop.id));
  condition_finish(&never);
  mutex_finish(&mutex);
  close_fixture(&fixture);
}

struct borrower {
  struct fixture *fixture;
  struct atomic_bool_box *stop;
  struct thread thread;
  uint64_t borrowed;
};

static void borrow_on(void *context) {
  struct borrower *borrower = context;
  while (!atomic_bool_get(borrower->stop)) {
    struct project_loan loan = project_directory_borrow(borrower->fixture->directory, borrower->fixture->shop.id);
    ASSERT(scrub_key_is_sensitive(loan.scrub, SLICE_LITERAL("api_key")));
    project_directory_give_back(borrower->fixture->directory, loan);
    borrower->borrowed++;
  }
}

static void many_borrow_while_settings_change(void **state) {
  struct fixture fixture;
  open_fixture(&fixture, *state);
  struct atomic_bool_box stop = {false};
  struct borrower borrowers[3];
  for (int i = 0; i < 3; i++) {
    borrowers[i] = (struct borrower){.fixture = &fixture, .stop = &stop};
    assert_int_equal(thread_start(&borrowers[i].thread, "borrower", borrow_on, &borrowers[i]), STATUS_OK);
  }
  for (int i = 0; i < 40; i++) {
    set(fixture.database, fixture.shop.id, 1u << PROJECT_SET_SCRUB_IP_ADDRESSES,
        &(struct project_settings){.scrub_ip_addresses = i % 2 ? PROJECT_ON : PROJECT_AS_CONFIGURED});
    project_directory_reload(fixture.directory);
  }
  atomic_bool_set(&stop, true);
  for (int i = 0; i < 3; i++) thread_join(&borrowers[i].thread);
  close_fixture(&fixture);
}

static void dsns_are_what_sdks_take(void **state) {
  struct fixture fixture;
  open_fixture(&fixture, *state);
  char url[PROJECT_DIRECTORY_URL_BYTES_MAX], dsn[PROJECT_DIRECTORY_DSN_BYTES_MAX];
  assert_false(project_directory_dsn(fixture.directory, 1, "abc", dsn));
  char none[] = "", cert[] = "c.pem", public[] = "https://errors.example/in/";
  const struct {
    struct options options;
    const char *dsn;
  } rows[] = {
      {{.ingest_public_url = none, .tls_http.cert_file = none}, "http://abc@127.0.0.1:4318/7"},
      {{.ingest_public_url = none, .tls_http.cert_file = cert}, "https://abc@127.0.0.1:4318/7"},
      {{.ingest_public_url = public, .tls_http.cert_file = none}, "https://abc@errors.example/in/7"},
  };
  for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
    project_directory_format_url(&rows[i].options, "127.0.0.1:4318", url);
    project_directory_set_url(fixture.directory, url);
    assert_true(project_directory_dsn(fixture.directory, 7, "abc", dsn));
    assert_string_equal(dsn, rows[i].dsn);
  }
  close_fixture(&fixture);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      TEMPORARY_TEST(each_project_has_its_own_scrub),
      TEMPORARY_TEST(a_loan_stays_good_when_settings_change),
      TEMPORARY_TEST(keys_and_limits_hold_when_reload_returns),
      TEMPORARY_TEST(a_new_key_is_known_at_its_first_use),
      TEMPORARY_TEST(another_process_is_followed),
      TEMPORARY_TEST(many_borrow_while_settings_change),
      TEMPORARY_TEST(dsns_are_what_sdks_take),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}

/* Accounts of devices for Mosquitto 2: who may connect, under which client id, and to which topics it may speak.
 *
 *   plugin_opt_accounts_file  the accounts, written by `python -m devices broker keep`, read here alone
 *   plugin_opt_state_file     what we hold, written here for that program to compare
 *   plugin_opt_knocks         true: a device without an account may knock with a certificate of our authority
 *
 * The accounts file begins with "thubon-accounts 1" and is appended to, a line a change:
 *
 *   + <device> <town>@<until>,... <secret>,...   this account, as it is from now on; "-" for no secret: nobody gets in
 *   - <device>                                   no account any more
 *   = <token>                                    all up to here belongs together; the state file repeats the token
 *
 *   secret: p:<salt>:<sha256 of salt and password>:<until>, or c:<sha256 of a certificate>:<until>; hexadecimal
 *   until:  Unix seconds, 0 without end
 *
 * A file with another inode, or a shorter one, is read from its beginning, and what it does not name is gone at its first
 * "=". Lines are taken as they stand or not at all; a line we cannot read takes its account away, because an account that
 * may be wrong must not be used. All runs in Mosquitto's one thread.
 *
 * A device may publish thubon/v1/<town>/<device>/{telemetry,gateway,status} and read .../command, in its own towns; one
 * that knocks may do so under its own name in any town, and what it sends waits among the refusals until it is accepted.
 * Other user names are programs: their password and rights stand in Mosquitto's own files, only their client ids are
 * looked at here.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include <openssl/crypto.h>
#include <openssl/evp.h>
#include <openssl/sha.h>
#include <openssl/x509.h>

#include <mosquitto.h>
#include <mosquitto_broker.h>
#include <mosquitto_plugin.h>

/* Without memory uthash ends the process; its supervisor starts the broker again, with sessions and accounts. */
#include <uthash.h>
#include <utlist.h>

enum {
  NAME_MAX_LENGTH = 63,
  LINE_MAX_LENGTH = 8192,
  TOWNS_MAX = 16,
  SECRETS_MAX = 16,
  SALT_LENGTH = 16,
  READ_LENGTH = 1 << 20, /* at a time, so that 10,000 accounts never hold up messages for longer than some ms */
  LOOK_MS = 50,
  STATE_MS = 500,
  LOGGED_REFUSALS = 20, /* a second; the rest is counted */
};

enum refusal { UNKNOWN_USER, WRONG_SECRET, EXPIRED_SECRET, WRONG_CLIENT_ID, WRONG_CERTIFICATE, TOPIC, REFUSALS };
static const char *const refusal_names[REFUSALS] = {
    "unknown_user", "wrong_secret", "expired_secret", "wrong_client_id", "wrong_certificate", "topic",
};

struct town {
  char name[NAME_MAX_LENGTH + 1];
  int64_t until;
};

struct secret {
  bool certificate;
  unsigned char salt[SALT_LENGTH];
  unsigned char digest[SHA256_DIGEST_LENGTH];
  int64_t until;
};

struct session {
  struct mosquitto *client; /* key; never looked into: the broker may have freed it */
  char *client_id;
  unsigned char digest[SHA256_DIGEST_LENGTH]; /* of the secret it came with */
  struct session *prev, *next;
  struct account *account;
  UT_hash_handle hh;
};

struct account {
  char name[NAME_MAX_LENGTH + 1]; /* key */
  uint64_t line_digest;
  uint64_t reading; /* of which file it was last heard */
  bool knocks; /* not of the file; stays till the broker ends, for a last will comes after its session */
  int town_count, secret_count;
  struct town *towns;
  struct secret *secrets;
  struct session *sessions;
  UT_hash_handle hh;
};

static struct {
  mosquitto_plugin_id_t *id;
  char *accounts_file, *state_file;
  bool knocks;
  unsigned int listed; /* accounts that are of the file */
  struct account *accounts;
  struct session *sessions;
  int fd;
  ino_t inode;
  off_t offset;
  uint64_t reading; /* grows with each file read from its beginning */
  bool swept;       /* what this file does not name is gone */
  char *buffer;
  size_t held; /* bytes of the buffer that end in an unfinished line */
  char token[65];
  uint64_t digest, errors, refused[REFUSALS];
  bool changed;
  int64_t next_look_ms, next_state_ms, log_second;
  int logged;
} state = {.fd = -1};

static int64_t now_ms(clockid_t clock) {
  struct timespec now;
  clock_gettime(clock, &now);
  return (int64_t)now.tv_sec * 1000 + now.tv_nsec / 1000000;
}

static bool over(int64_t until) { return until != 0 && until <= (int64_t)time(NULL); }

/* --- Lines -> accounts ------------------------------------------------------------------------------------------- */

static int nibble(char digit) {
  if (digit >= '0' && digit <= '9') return digit - '0';
  return digit >= 'a' && digit <= 'f' ? digit - 'a' + 10 : -1;
}

static bool read_hex(const char *text, unsigned char *bytes, size_t length) {
  if (strlen(text) != 2 * length) return false;
  for (size_t i = 0; i < length; i++) {
    int high = nibble(text[2 * i]), low = nibble(text[2 * i + 1]);
    if (high < 0 || low < 0) return false;
    bytes[i] = (unsigned char)(high << 4 | low);
  }
  return true;
}

static bool read_until(const char *text, int64_t *until) {
  if (!text || !*text || strspn(text, "0123456789") != strlen(text) || strlen(text) > 12) return false;
  *until = strtoll(text, NULL, 10);
  return true;
}

static bool is_name(const char *text) {
  size_t length = text ? strlen(text) : 0;
  return length > 0 && length <= NAME_MAX_LENGTH && text[0] != '-' &&
         strspn(text, "abcdefghijklmnopqrstuvwxyz0123456789-") == length;
}

/* Names of programs and the beginning of their client ids. */
static bool is_reserved(const char *name) {
  static const char *const names[] = {"devices", "health", "identity", "ingest", "simulators"};
  for (size_t i = 0; i < sizeof names / sizeof *names; i++)
    if (strcmp(name, names[i]) == 0) return true;
  return strncmp(name, "thubon-", 7) == 0;
}

static bool read_town(char *text, struct town *town) {
  char *name = strsep(&text, "@");
  if (!is_name(name) || !read_until(text, &town->until)) return false;
  strcpy(town->name, name);
  return true;
}

static bool read_secret(char *text, struct secret *secret) {
  char *kind = strsep(&text, ":");
  if (strcmp(kind, "p") == 0) {
    char *salt = strsep(&text, ":");
    if (!salt || !read_hex(salt, secret->salt, SALT_LENGTH)) return false;
  } else if (strcmp(kind, "c") == 0) {
    secret->certificate = true;
  } else {
    return false;
  }
  char *digest = strsep(&text, ":");
  return digest && read_hex(digest, secret->digest, SHA256_DIGEST_LENGTH) && read_until(text, &secret->until);
}

static struct account *find_account(const char *name) {
  struct account *account = NULL;
  if (name) HASH_FIND_STR(state.accounts, name, account);
  return account;
}

static struct account *add_account(const char *name) {
  struct account *account = calloc(1, sizeof *account);
  if (!account) return NULL;
  strcpy(account->name, name);
  HASH_ADD_STR(state.accounts, name, account);
  return account;
}

/* Ends the sessions whose secret the account no longer has; all when it has none. */
static void end_sessions(struct account *account) {
  struct session *session, *following;
  DL_FOREACH_SAFE(account->sessions, session, following) {
    bool valid = false;
    for (int i = 0; i < account->secret_count && !valid; i++)
      valid = !over(account->secrets[i].until) &&
              memcmp(account->secrets[i].digest, session->digest, SHA256_DIGEST_LENGTH) == 0;
    if (valid) continue;
    /* Its last will is sent where the account may still say it: then operators see the device go offline. */
    mosquitto_log_printf(MOSQ_LOG_NOTICE, "accounts: %s is disconnected, its credential is withdrawn", account->name);
    mosquitto_kick_client_by_clientid(session->client_id, true);
  }
}

static void remove_account(struct account *account) {
  HASH_DEL(state.accounts, account); /* first, so that its last will finds no rights */
  account->secret_count = 0;
  end_sessions(account);
  struct session *session, *following;
  DL_FOREACH_SAFE(account->sessions, session, following) session->account = NULL;
  state.digest -= account->line_digest;
  if (!account->knocks) state.listed--;
  free(account->towns);
  free(account->secrets);
  free(account);
}

/* Takes "<device> <towns> <secrets>"; on false nothing was changed. */
static bool set_account(char *line) {
  unsigned char digest[SHA256_DIGEST_LENGTH];
  SHA256((const unsigned char *)line, strlen(line), digest);
  struct town towns[TOWNS_MAX] = {0};
  struct secret secrets[SECRETS_MAX] = {0};
  int town_count = 0, secret_count = 0;
  char *name = strsep(&line, " "), *town_list = strsep(&line, " "), *part;
  if (!is_name(name) || is_reserved(name) || !town_list || !line) return false;
  while ((part = strsep(&town_list, ",")))
    if (town_count == TOWNS_MAX || !read_town(part, &towns[town_count++])) return false;
  if (strcmp(line, "-") == 0) line = NULL;
  while ((part = strsep(&line, ",")))
    if (secret_count == SECRETS_MAX || !read_secret(part, &secrets[secret_count++])) return false;

  struct account *account = find_account(name);
  bool listed = account && !account->knocks;
  if (!account && !(account = add_account(name))) return false;
  if (!listed) state.listed++;
  account->knocks = false;
  free(account->towns);
  free(account->secrets);
  account->towns = malloc(sizeof *towns * (size_t)town_count);
  account->secrets = malloc(sizeof *secrets * (size_t)secret_count);
  account->town_count = account->towns ? town_count : 0;
  account->secret_count = account->secrets ? secret_count : 0;
  if (account->towns) memcpy(account->towns, towns, sizeof *towns * (size_t)town_count);
  if (account->secrets) memcpy(account->secrets, secrets, sizeof *secrets * (size_t)secret_count);
  state.digest -= account->line_digest;
  account->line_digest = 0;
  for (int i = 0; i < 8; i++) account->line_digest = account->line_digest << 8 | digest[i];
  state.digest += account->line_digest;
  account->reading = state.reading;
  end_sessions(account);
  return true;
}

static void bad_line(void) {
  state.errors++;
  state.changed = true;
  if (state.errors <= LOGGED_REFUSALS) mosquitto_log_printf(MOSQ_LOG_ERR, "accounts: a line is not as it must be");
}

static void take_line(char *line) {
  char copy[NAME_MAX_LENGTH + 1] = "";
  if (strncmp(line, "+ ", 2) == 0) {
    /* set_account takes the line apart, and what it cannot read must lose its account. */
    sscanf(line + 2, "%63[a-z0-9-]", copy);
    if (set_account(line + 2)) return;
    bad_line();
    struct account *account = find_account(copy);
    if (account) remove_account(account);
  } else if (strncmp(line, "- ", 2) == 0) {
    struct account *account = find_account(line + 2);
    if (account) remove_account(account);
  } else if (strncmp(line, "= ", 2) == 0 && strlen(line + 2) < sizeof state.token &&
             strspn(line + 2, "0123456789abcdef") == strlen(line + 2)) {
    struct account *account, *following;
    if (!state.swept)
      HASH_ITER(hh, state.accounts, account, following)
        if (account->reading != state.reading && !account->knocks) remove_account(account);
    state.swept = true;
    strcpy(state.token, line + 2);
    state.changed = true;
    state.next_state_ms = 0;
  } else if (strcmp(line, "thubon-accounts 1") != 0) {
    bad_line();
  }
}

/* --- File -> lines ----------------------------------------------------------------------------------------------- */

static void start_file(void) {
  if (state.fd >= 0) close(state.fd);
  state.fd = open(state.accounts_file, O_RDONLY | O_CLOEXEC);
  state.offset = 0;
  state.held = 0;
  state.reading++;
  state.swept = false;
  state.errors = 0;
}

/* Reads on, at most READ_LENGTH bytes; answers whether there may be more. */
static bool read_on(void) {
  struct stat named;
  if (stat(state.accounts_file, &named) != 0) return false; /* what is known stays in force: devices go on */
  if (state.fd < 0 || named.st_ino != state.inode || named.st_size < state.offset) {
    start_file();
    state.inode = named.st_ino;
  }
  if (state.fd < 0) return false;
  ssize_t count = pread(state.fd, state.buffer + state.held, READ_LENGTH, state.offset);
  if (count <= 0) return false;
  state.offset += count;
  char *at = state.buffer, *end = state.buffer + state.held + count, *stop;
  while ((stop = memchr(at, '\n', (size_t)(end - at)))) {
    *stop = '\0';
    if (stop - at < LINE_MAX_LENGTH) take_line(at);
    else bad_line();
    at = stop + 1;
  }
  state.held = (size_t)(end - at);
  if (state.held > LINE_MAX_LENGTH) { /* no line is as long */
    bad_line();
    state.held = 0;
  }
  memmove(state.buffer, end - state.held, state.held);
  return count == READ_LENGTH;
}

static void write_state(void) {
  char name[4096];
  if ((size_t)snprintf(name, sizeof name, "%s.new", state.state_file) >= sizeof name) return;
  FILE *file = fopen(name, "w");
  if (!file) {
    mosquitto_log_printf(MOSQ_LOG_ERR, "accounts: %s is not written: %s", name, strerror(errno));
    return;
  }
  fprintf(file, "{\"token\": \"%s\", \"accounts\": %u, \"digest\": \"%016llx\", \"errors\": %llu, \"sessions\": %u", state.token,
          state.listed, (unsigned long long)state.digest, (unsigned long long)state.errors,
          HASH_COUNT(state.sessions));
  for (int i = 0; i < REFUSALS; i++)
    fprintf(file, ", \"refused_%s\": %llu", refusal_names[i], (unsigned long long)state.refused[i]);
  bool written = fputs("}\n", file) >= 0 && fchmod(fileno(file), 0644) == 0; /* another user's program reads it */
  if (fclose(file) == 0 && written) rename(name, state.state_file);
}

static int on_tick(int event, void *data, void *user) {
  (void)event, (void)data, (void)user;
  int64_t now = now_ms(CLOCK_MONOTONIC_COARSE);
  if (now >= state.next_look_ms) state.next_look_ms = read_on() ? now : now + LOOK_MS;
  if (state.changed && now >= state.next_state_ms) {
    write_state();
    state.changed = false;
    state.next_state_ms = now + STATE_MS;
  }
  return MOSQ_ERR_SUCCESS;
}

/* --- Who may connect --------------------------------------------------------------------------------------------- */

static int refuse(enum refusal reason, const struct mosquitto *client, const char *name, const char *detail, int code) {
  state.refused[reason]++;
  state.changed = true;
  int64_t second = (int64_t)time(NULL);
  if (second != state.log_second) {
    if (state.logged > LOGGED_REFUSALS)
      mosquitto_log_printf(MOSQ_LOG_NOTICE, "accounts: %d refusals more", state.logged - LOGGED_REFUSALS);
    state.log_second = second;
    state.logged = 0;
  }
  if (state.logged++ < LOGGED_REFUSALS) {
    /* Names a stranger chose are cut and cleaned: a log line is read by people and programs. */
    char shown[2][96];
    const char *texts[2] = {name ? name : "", detail ? detail : ""};
    for (int i = 0; i < 2; i++) {
      snprintf(shown[i], sizeof shown[i], "%s", texts[i]);
      for (char *c = shown[i]; *c; c++)
        if (*c < ' ' || *c > '~' || *c == '\'') *c = '?';
    }
    const char *address = mosquitto_client_address(client);
    mosquitto_log_printf(MOSQ_LOG_NOTICE, "accounts: refused %s: user '%s' from %s '%s'", refusal_names[reason], shown[0],
                         address ? address : "?", shown[1]);
  }
  return code;
}

/* Whether the client id is the name, or the name, the separator and more. */
static bool begins_with(const char *client_id, const char *name, const char *separator) {
  size_t length = strlen(name);
  return strncmp(client_id, name, length) == 0 &&
         (client_id[length] == '\0' || strncmp(client_id + length, separator, strlen(separator)) == 0);
}

static int remember(struct mosquitto *client, struct account *account, const struct secret *secret) {
  struct session *session = NULL;
  HASH_FIND_PTR(state.sessions, &client, session);
  if (session) { /* looked at again: the broker reloaded its files */
    if (session->account) DL_DELETE(session->account->sessions, session);
  } else {
    session = calloc(1, sizeof *session);
    if (!session) return MOSQ_ERR_NOMEM;
    session->client = client;
    session->client_id = strdup(mosquitto_client_id(client));
    if (!session->client_id) {
      free(session);
      return MOSQ_ERR_NOMEM;
    }
    HASH_ADD_PTR(state.sessions, client, session);
  }
  session->account = account;
  memcpy(session->digest, secret->digest, SHA256_DIGEST_LENGTH);
  DL_APPEND(account->sessions, session);
  return MOSQ_ERR_SUCCESS;
}

static int check_secret(struct mosquitto *client, struct account *account, bool certificate, const unsigned char *digest,
                        const char *password) {
  bool expired = false;
  for (int i = 0; i < account->secret_count; i++) {
    const struct secret *secret = &account->secrets[i];
    unsigned char own[SHA256_DIGEST_LENGTH];
    if (secret->certificate != certificate) continue;
    if (!certificate) {
      unsigned char salted[SALT_LENGTH + 256];
      size_t length = strlen(password);
      if (length > 256) break;
      memcpy(salted, secret->salt, SALT_LENGTH);
      memcpy(salted + SALT_LENGTH, password, length);
      SHA256(salted, SALT_LENGTH + length, own);
      OPENSSL_cleanse(salted, sizeof salted);
    } else {
      memcpy(own, digest, sizeof own);
    }
    if (CRYPTO_memcmp(own, secret->digest, sizeof own) != 0) continue;
    if (!over(secret->until)) return remember(client, account, secret);
    expired = true;
  }
  return refuse(expired ? EXPIRED_SECRET : WRONG_SECRET, client, account->name, certificate ? "certificate" : "password",
                MOSQ_ERR_AUTH);
}

/* The common name of the subject, or false where it has none, more than one or one that cannot be a device id. */
static bool read_common_name(X509 *certificate, char name[NAME_MAX_LENGTH + 1]) {
  X509_NAME *subject = X509_get_subject_name(certificate);
  int at = subject ? X509_NAME_get_index_by_NID(subject, NID_commonName, -1) : -1;
  if (at < 0 || X509_NAME_get_index_by_NID(subject, NID_commonName, at) >= 0) return false;
  const ASN1_STRING *text = X509_NAME_ENTRY_get_data(X509_NAME_get_entry(subject, at));
  int length = ASN1_STRING_length(text);
  if (length < 1 || length > NAME_MAX_LENGTH || memchr(ASN1_STRING_get0_data(text), 0, (size_t)length)) return false;
  memcpy(name, ASN1_STRING_get0_data(text), (size_t)length);
  name[length] = '\0';
  return is_name(name);
}

static int check_certificate(struct mosquitto *client, X509 *certificate, const char *username) {
  char name[NAME_MAX_LENGTH + 1];
  unsigned char digest[SHA256_DIGEST_LENGTH];
  unsigned int length = 0;
  if (!read_common_name(certificate, name) || !X509_digest(certificate, EVP_sha256(), digest, &length))
    return refuse(WRONG_CERTIFICATE, client, username, "no device id as common name", MOSQ_ERR_AUTH);
  if (username && strcmp(username, name) != 0)
    return refuse(WRONG_CERTIFICATE, client, username, "the certificate is of another device", MOSQ_ERR_AUTH);
  if (!begins_with(mosquitto_client_id(client), name, ":"))
    return refuse(WRONG_CLIENT_ID, client, name, mosquitto_client_id(client), MOSQ_ERR_AUTH);
  struct account *account = find_account(name);
  if (!account && (!state.knocks || is_reserved(name)))
    return refuse(UNKNOWN_USER, client, name, "certificate", MOSQ_ERR_AUTH);
  if (!account) {
    account = add_account(name);
    if (!account) return MOSQ_ERR_NOMEM;
    account->knocks = true;
  }
  struct secret offered = {.certificate = true};
  memcpy(offered.digest, digest, sizeof digest);
  int answer = account->knocks ? remember(client, account, &offered) : check_secret(client, account, true, digest, NULL);
  if (answer == MOSQ_ERR_SUCCESS && !username && mosquitto_set_username(client, name) != MOSQ_ERR_SUCCESS)
    answer = MOSQ_ERR_AUTH;
  return answer;
}

static int on_connect(int event, void *data, void *user) {
  (void)event, (void)user;
  struct mosquitto_evt_basic_auth *asked = data;
  struct mosquitto *client = asked->client;
  X509 *certificate = mosquitto_client_certificate(client);
  if (certificate) {
    int answer = check_certificate(client, certificate, asked->username);
    X509_free(certificate);
    return answer;
  }
  if (!asked->username) return MOSQ_ERR_PLUGIN_DEFER; /* anonymous: the broker's own setting decides */
  const char *client_id = mosquitto_client_id(client);
  struct account *account = find_account(asked->username);
  if (!account) {
    char prefix[NAME_MAX_LENGTH + 10];
    bool fits = strlen(asked->username) <= NAME_MAX_LENGTH;
    snprintf(prefix, sizeof prefix, "thubon-%s", fits ? asked->username : "");
    if (!fits || !(begins_with(client_id, asked->username, ":") || begins_with(client_id, prefix, "-")))
      return refuse(WRONG_CLIENT_ID, client, asked->username, client_id, MOSQ_ERR_AUTH);
    return MOSQ_ERR_PLUGIN_DEFER;
  }
  if (!begins_with(client_id, account->name, ":"))
    return refuse(WRONG_CLIENT_ID, client, account->name, client_id, MOSQ_ERR_AUTH);
  return check_secret(client, account, false, NULL, asked->password ? asked->password : "");
}

static int on_disconnect(int event, void *data, void *user) {
  (void)event, (void)user;
  struct mosquitto *client = ((struct mosquitto_evt_disconnect *)data)->client;
  struct session *session = NULL;
  HASH_FIND_PTR(state.sessions, &client, session);
  if (!session) return MOSQ_ERR_SUCCESS;
  HASH_DEL(state.sessions, session);
  struct account *account = session->account;
  if (account) DL_DELETE(account->sessions, session);
  free(session->client_id);
  free(session);
  return MOSQ_ERR_SUCCESS;
}

/* --- Who may say and hear what ----------------------------------------------------------------------------------- */

static bool is_own_leaf(const char *leaf, bool writes) {
  if (!writes) return strcmp(leaf, "/command") == 0;
  return strcmp(leaf, "/telemetry") == 0 || strcmp(leaf, "/status") == 0 || strcmp(leaf, "/gateway") == 0;
}

static bool is_own_topic(const struct account *account, const char *topic, bool writes) {
  static const char root[] = "thubon/v1/";
  if (strncmp(topic, root, sizeof root - 1) != 0) return false;
  topic += sizeof root - 1;
  size_t name_length = strlen(account->name);
  const char *slash = strchr(topic, '/');
  if (account->knocks && slash)
    return strncmp(slash + 1, account->name, name_length) == 0 && is_own_leaf(slash + 1 + name_length, writes);
  for (int i = 0; i < account->town_count; i++) {
    const struct town *town = &account->towns[i];
    size_t length = strlen(town->name);
    if (strncmp(topic, town->name, length) != 0 || topic[length] != '/') continue;
    const char *rest = topic + length + 1;
    return strncmp(rest, account->name, name_length) == 0 && is_own_leaf(rest + name_length, writes) && !over(town->until);
  }
  return false;
}

static int on_access(int event, void *data, void *user) {
  (void)event, (void)user;
  struct mosquitto_evt_acl_check *asked = data;
  struct account *account = find_account(mosquitto_client_username(asked->client));
  if (!account) return MOSQ_ERR_PLUGIN_DEFER;
  if (asked->access == MOSQ_ACL_UNSUBSCRIBE) return MOSQ_ERR_SUCCESS;
  if (is_own_topic(account, asked->topic, asked->access == MOSQ_ACL_WRITE)) return MOSQ_ERR_SUCCESS;
  return refuse(TOPIC, asked->client, account->name, asked->topic, MOSQ_ERR_ACL_DENIED);
}

/* --- Beginning and end ------------------------------------------------------------------------------------------- */

int mosquitto_plugin_version(int count, const int *versions) {
  for (int i = 0; i < count; i++)
    if (versions[i] == 5) return 5;
  return -1;
}

int mosquitto_plugin_init(mosquitto_plugin_id_t *identifier, void **user, struct mosquitto_opt *options, int count) {
  (void)user;
  state.id = identifier;
  for (int i = 0; i < count; i++) {
    if (strcmp(options[i].key, "accounts_file") == 0) state.accounts_file = strdup(options[i].value);
    if (strcmp(options[i].key, "state_file") == 0) state.state_file = strdup(options[i].value);
    if (strcmp(options[i].key, "knocks") == 0) state.knocks = strcmp(options[i].value, "true") == 0;
  }
  if (!state.accounts_file || !state.state_file) {
    mosquitto_log_printf(MOSQ_LOG_ERR, "accounts: plugin_opt_accounts_file and plugin_opt_state_file are needed");
    return MOSQ_ERR_INVAL;
  }
  state.buffer = malloc(LINE_MAX_LENGTH + 1 + READ_LENGTH);
  if (!state.buffer) return MOSQ_ERR_NOMEM;
  state.changed = true;
  /* All of it before the first client: a device that comes back at once must find its account. */
  while (read_on()) continue;
  mosquitto_log_printf(MOSQ_LOG_NOTICE, "accounts: %u of %s", state.listed, state.accounts_file);
  if (mosquitto_callback_register(identifier, MOSQ_EVT_BASIC_AUTH, on_connect, NULL, NULL) ||
      mosquitto_callback_register(identifier, MOSQ_EVT_ACL_CHECK, on_access, NULL, NULL) ||
      mosquitto_callback_register(identifier, MOSQ_EVT_DISCONNECT, on_disconnect, NULL, NULL) ||
      mosquitto_callback_register(identifier, MOSQ_EVT_TICK, on_tick, NULL, NULL))
    return MOSQ_ERR_UNKNOWN;
  return MOSQ_ERR_SUCCESS;
}

int mosquitto_plugin_cleanup(void *user, struct mosquitto_opt *options, int count) {
  (void)user, (void)options, (void)count;
  mosquitto_callback_unregister(state.id, MOSQ_EVT_BASIC_AUTH, on_connect, NULL);
  mosquitto_callback_unregister(state.id, MOSQ_EVT_ACL_CHECK, on_access, NULL);
  mosquitto_callback_unregister(state.id, MOSQ_EVT_DISCONNECT, on_disconnect, NULL);
  mosquitto_callback_unregister(state.id, MOSQ_EVT_TICK, on_tick, NULL);
  return MOSQ_ERR_SUCCESS;
}

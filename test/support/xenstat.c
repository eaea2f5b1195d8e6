/*
 * libxenstat as xentop of Xen 4.17 calls it, for a machine without Xen: it answers with the looks in the file $XENSTAT, one
 * for each xenstat_get_node(). Between two looks xentop need not sleep. A look is `look MICROSECONDS`, then a line for
 * each domain: id, name, its six letters of STATE, ns of CPU time, number of virtual CPUs, memory limit (-1: none), number
 * of interfaces, bytes sent and received, number of disks, requests.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/time.h>

typedef unsigned long long u64;

struct domain {
  unsigned id, vcpus, nets, vbds;
  char name[64], state[8];
  u64 ns, max, sent, received, requests;
};

struct node {
  u64 time;
  unsigned count;
  struct domain domains[64];
};

static struct node looks[16];
static unsigned count, next;

__attribute__((constructor)) static void load(void) {
  char line[256];
  FILE *file = fopen(getenv("XENSTAT"), "r");
  while (fgets(line, sizeof line, file)) {
    u64 time;
    if (sscanf(line, "look %llu", &time) == 1) {
      looks[count++].time = time;
      continue;
    }
    struct node *look = &looks[count - 1];
    struct domain *d = &look->domains[look->count++];
    sscanf(line, "%u %63s %7s %llu %u %lld %u %llu %llu %u %llu", &d->id, d->name, d->state, &d->ns, &d->vcpus,
           (long long *)&d->max, &d->nets, &d->sent, &d->received, &d->vbds, &d->requests);
  }
  fclose(file);
}

int gettimeofday(struct timeval *tv, void *zone) {
  (void)zone;
  tv->tv_sec = looks[next].time / 1000000;
  tv->tv_usec = looks[next].time % 1000000;
  return 0;
}

unsigned sleep(unsigned seconds) {
  (void)seconds;
  return 0;
}

void *xenstat_init(void) { return looks; }
void xenstat_uninit(void *handle) { (void)handle; }
struct node *xenstat_get_node(void *handle, unsigned flags) {
  (void)handle;
  (void)flags;
  return next < count ? &looks[next++] : NULL;
}
void xenstat_free_node(struct node *node) { (void)node; }
unsigned xenstat_node_num_domains(struct node *node) { return node->count; }
struct domain *xenstat_node_domain_by_index(struct node *node, unsigned i) { return &node->domains[i]; }
struct domain *xenstat_node_domain(struct node *node, unsigned id) {
  for (unsigned i = 0; i < node->count; i++)
    if (node->domains[i].id == id) return &node->domains[i];
  return NULL;
}
u64 xenstat_node_tot_mem(struct node *node) {
  (void)node;
  return 1 << 30;
}

unsigned xenstat_domain_id(struct domain *d) { return d->id; }
char *xenstat_domain_name(struct domain *d) { return d->name; }
u64 xenstat_domain_cpu_ns(struct domain *d) { return d->ns; }
unsigned xenstat_domain_num_vcpus(struct domain *d) { return d->vcpus; }
u64 xenstat_domain_cur_mem(struct domain *d) {
  (void)d;
  return 0;
}
u64 xenstat_domain_max_mem(struct domain *d) { return d->max; }
unsigned xenstat_domain_ssid(struct domain *d) {
  (void)d;
  return 0;
}
static unsigned is(struct domain *d, char letter) { return strchr(d->state, letter) != NULL; }
unsigned xenstat_domain_dying(struct domain *d) { return is(d, 'd'); }
unsigned xenstat_domain_shutdown(struct domain *d) { return is(d, 's'); }
unsigned xenstat_domain_blocked(struct domain *d) { return is(d, 'b'); }
unsigned xenstat_domain_crashed(struct domain *d) { return is(d, 'c'); }
unsigned xenstat_domain_paused(struct domain *d) { return is(d, 'p'); }
unsigned xenstat_domain_running(struct domain *d) { return is(d, 'r'); }

/* one interface and one disk at most */
unsigned xenstat_domain_num_networks(struct domain *d) { return d->nets; }
struct domain *xenstat_domain_network(struct domain *d, unsigned i) { return i < d->nets ? d : NULL; }
u64 xenstat_network_tbytes(struct domain *d) { return d->sent; }
u64 xenstat_network_rbytes(struct domain *d) { return d->received; }
unsigned xenstat_domain_num_vbds(struct domain *d) { return d->vbds; }
struct domain *xenstat_domain_vbd(struct domain *d, unsigned i) { return i < d->vbds ? d : NULL; }
unsigned xenstat_vbd_error(struct domain *d) {
  (void)d;
  return 0;
}
u64 xenstat_vbd_rd_reqs(struct domain *d) { return d->requests; }
u64 xenstat_vbd_oo_reqs(struct domain *d) {
  (void)d;
  return 0;
}
u64 xenstat_vbd_wr_reqs(struct domain *d) { return xenstat_vbd_oo_reqs(d); }
u64 xenstat_vbd_rd_sects(struct domain *d) { return xenstat_vbd_oo_reqs(d); }
u64 xenstat_vbd_wr_sects(struct domain *d) { return xenstat_vbd_oo_reqs(d); }

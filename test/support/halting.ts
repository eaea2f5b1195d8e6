/** A scenario of an ARM host that an FIQ can be fired at; its devices go on afterwards. */
export const HALTING_YAML = `
name: halting
title: a host that is about to end
gic: 2
cpus: 1
dom0: {vcpus: 1, devices: [{driver: rtc}]}
keys: [{device: fiq}]
workloads:
  - {what: compute, domain: 0, share: 1}
  - {what: device, device: rtc, pattern: {kind: periodic, rate: 10}}
`;

// SPDX-License-Identifier: Apache-2.0
//
// Addresses of this instance as an application elsewhere can use them.

const wildcards = ['0.0.0.0', '[::]', '*', ''];

// `address` is a URL that the server listens on, or a DSN. A wildcard there stands for every address of its machine:
// one of them is the host of this page.
export function reachable(address: string, pageHost: string): string {
  const parts = /^(\w+:\/\/)((?:[^@/]*@)?)(\[[^\]]*\]|[^:/]*)(.*)$/.exec(address);
  if (!parts) return address;
  const [, scheme, key, host, rest] = parts as unknown as [string, string, string, string, string];
  return scheme + key + (wildcards.includes(host) ? pageHost : host) + rest;
}

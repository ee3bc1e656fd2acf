// SPDX-License-Identifier: Apache-2.0
//
// The few icons, drawn on a 16 by 16 grid. Decoration only: what has an icon has words too.
const shapes = {
  check: 'M3 8.5l3.2 3.2L13 4.8',
  cross: 'M4 4l8 8M12 4l-8 8',
  copy: 'M5.5 5.5v-3h8v8h-3M2.5 5.5h8v8h-8z',
  mute: 'M2.5 6.2v3.6h2.4L8 12.5v-9L4.9 6.2zM10.5 6l3.5 4M14 6l-3.5 4',
  undo: 'M5.5 3L2.5 6l3 3M2.5 6h7a3.5 3.5 0 010 7h-3',
  search: 'M7 2.5a4.5 4.5 0 100 9 4.5 4.5 0 000-9zM10.3 10.3l3.4 3.4',
  right: 'M6 3.5L10.5 8 6 12.5',
  down: 'M3.5 6L8 10.5 12.5 6',
  download: 'M8 2.5v7.5M4.8 7L8 10.2 11.2 7M3 13.5h10',
  out: 'M6.5 3h-4v10.5H13v-4M9 2.5h4.5V7M13 3L7.5 8.5',
  sun: 'M8 5.2a2.8 2.8 0 100 5.6 2.8 2.8 0 000-5.6zM8 1v1.6M8 13.4V15M1 8h1.6M13.4 8H15M3 3l1.2 1.2M11.8 11.8L13 13M3 13l1.2-1.2M11.8 4.2L13 3',
  moon: 'M13 9.8A5.6 5.6 0 016.2 3a5.6 5.6 0 106.8 6.8z',
  system: 'M2 3h12v8H2zM5.5 13.5h5',
};

export function Icon({name}: {name: keyof typeof shapes}) {
  return (
    <svg class="icon" viewBox="0 0 16 16" aria-hidden="true" focusable="false">
      <path d={shapes[name]} />
    </svg>
  );
}

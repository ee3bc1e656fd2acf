// SPDX-License-Identifier: Apache-2.0
//
// Light, dark, or as the system says. The choice is kept in this browser; the style sheet follows color-scheme alone.
export type Theme = 'system' | 'light' | 'dark';

const key = 'culprit.theme';

export function storedTheme(): Theme {
  try {
    const value = localStorage.getItem(key);
    return value === 'light' || value === 'dark' ? value : 'system';
  } catch {
    return 'system'; // storage is forbidden: the system's theme
  }
}

export function applyTheme(theme: Theme): void {
  document.documentElement.style.setProperty('color-scheme', theme === 'system' ? 'light dark' : theme);
}

export function storeTheme(theme: Theme): void {
  applyTheme(theme);
  try {
    if (theme === 'system') localStorage.removeItem(key);
    else localStorage.setItem(key, theme);
  } catch {
    // It holds until the page is left.
  }
}

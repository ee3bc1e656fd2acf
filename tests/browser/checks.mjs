// SPDX-License-Identifier: Apache-2.0
//
// What must hold on every page, whatever it shows: nothing that a browser complains about, nothing from elsewhere,
// everything named for a screen reader, text that can be read, and no scrolling sideways.
import assert from 'node:assert/strict';

// Collects complaints of a page from now on; assertQuiet() says them.
export async function watch(page, origin) {
  const complaints = [];
  page.on('console', message => {
    if (['error', 'warning'].includes(message.type()))
      complaints.push(`console ${message.type()}: ${message.text()} ${message.location().url}`);
  });
  page.on('pageerror', error => complaints.push(`exception: ${error.stack ?? error}`));
  page.on('request', request => {
    const url = request.url();
    if (!url.startsWith(origin + '/') && !url.startsWith('data:')) complaints.push(`request to another origin: ${url}`);
  });
  await page.exposeFunction('reportViolation', text => complaints.push(`policy: ${text}`));
  await page.addInitScript(() => {
    document.addEventListener('securitypolicyviolation', event =>
      window.reportViolation(`${event.violatedDirective} refused ${event.blockedURI || event.sample}`),
    );
  });
  return {
    count: () => complaints.length,
    assertQuiet: () => assert.deepEqual(complaints, []),
    expect: pattern => {
      // a complaint that belongs to the test
      const at = complaints.findIndex(text => pattern.test(text));
      if (at >= 0) complaints.splice(at, 1);
    },
  };
}

// Runs in the page: what a screen reader or a tired eye would miss.
function faults() {
  const found = [];
  const shown = element =>
    element.checkVisibility({checkOpacity: true, checkVisibilityCSS: true}) && element.getClientRects().length > 0;
  const where = element => {
    const classes = [...element.classList].map(each => '.' + each).join('');
    return `${element.tagName.toLowerCase()}${classes} "${(element.textContent ?? '').trim().slice(0, 40)}"`;
  };
  const name = element => {
    const by = element.getAttribute('aria-labelledby');
    if (by)
      return by
        .split(/\s+/)
        .map(id => document.getElementById(id)?.textContent ?? '')
        .join(' ')
        .trim();
    const label = element.getAttribute('aria-label') ?? element.labels?.[0]?.textContent ?? element.textContent;
    return (label || element.getAttribute('title') || '').trim();
  };
  if (!document.documentElement.lang) found.push('no language');
  if (!document.title) found.push('no title');
  if (document.querySelectorAll('h1').length !== 1) found.push(`${document.querySelectorAll('h1').length} h1`);
  if (document.querySelectorAll('main').length !== 1) found.push('not one main');
  const ids = [...document.querySelectorAll('[id]')].map(element => element.id);
  ids.filter((id, at) => ids.indexOf(id) !== at).forEach(id => found.push(`id ${id} twice`));
  for (const element of document.querySelectorAll(
    'a, button, input, select, textarea, summary, [role="img"], [role="treeitem"], dialog, nav, aside',
  )) {
    if (shown(element) && !name(element)) found.push(`no name: ${where(element)}`);
  }
  for (const box of document.querySelectorAll('input[type="checkbox"], input[type="radio"]')) {
    const {left, right, top, bottom} = box.getBoundingClientRect();
    const range = document.createRange();
    const covered = rect => rect.left < right && rect.right > left && rect.top < bottom && rect.bottom > top;
    const texts = document.createTreeWalker(box.closest('td, li, label') ?? document.body, NodeFilter.SHOW_TEXT);
    while (shown(box) && texts.nextNode()) {
      range.selectNodeContents(texts.currentNode);
      if ([...range.getClientRects()].some(covered))
        found.push(`a box covers text: ${where(texts.currentNode.parentElement)}`);
    }
  }
  for (const element of document.querySelectorAll('[aria-controls], [aria-labelledby], [aria-activedescendant]')) {
    for (const attribute of ['aria-controls', 'aria-labelledby', 'aria-activedescendant']) {
      for (const id of (element.getAttribute(attribute) ?? '').split(/\s+/).filter(Boolean)) {
        if (!document.getElementById(id)) found.push(`${attribute} names no element: ${id}`);
      }
    }
  }
  for (const element of document.querySelectorAll('[tabindex]')) {
    if (element.tabIndex > 0) found.push(`tabindex above 0: ${where(element)}`);
  }
  for (const element of document.querySelectorAll('[style]')) {
    if (element.tagName === 'HTML' || element.closest('.rows')) continue; // through CSSOM: theme, rows
    found.push(`style on ${where(element)}`);
  }
  // WCAG 2.2, 1.4.3: 4.5 to 1, large text 3 to 1.
  const parse = color => (color.match(/[\d.]+/g) ?? []).map(Number);
  const luminance = ([r, g, b]) =>
    [r, g, b]
      .map(c => c / 255)
      .map(c => (c <= 0.04045 ? c / 12.92 : ((c + 0.055) / 1.055) ** 2.4))
      .reduce((sum, c, i) => sum + c * [0.2126, 0.7152, 0.0722][i], 0);
  const background = element => {
    for (let at = element; at; at = at.parentElement) {
      const color = parse(getComputedStyle(at).backgroundColor);
      if (color.length === 3 || color[3] === 1) return color;
    }
    return [255, 255, 255];
  };
  const told = new Set();
  for (const element of document.querySelectorAll('main *, header *')) {
    if (element.closest('svg, [disabled], [aria-disabled="true"], .offscreen, option')) continue;
    if (![...element.childNodes].some(node => node.nodeType === Node.TEXT_NODE && node.data.trim())) continue;
    if (!shown(element)) continue;
    const style = getComputedStyle(element);
    const a = luminance(parse(style.color));
    const b = luminance(background(element));
    const ratio = (Math.max(a, b) + 0.05) / (Math.min(a, b) + 0.05);
    const size = parseFloat(style.fontSize);
    const large = size >= 24 || (size >= 18.66 && Number(style.fontWeight) >= 700);
    if (ratio < (large ? 3 : 4.5) && !told.has(where(element))) {
      told.add(where(element));
      found.push(`contrast ${ratio.toFixed(2)}: ${where(element)}`);
    }
  }
  if (document.documentElement.scrollWidth > window.innerWidth)
    found.push(`scrolls sideways: ${document.documentElement.scrollWidth} > ${window.innerWidth}`);
  return found;
}

// In both themes, and as wide as a desk and a phone.
export async function assertAccessible(page, what) {
  const before = page.viewportSize();
  for (const colorScheme of ['light', 'dark']) {
    for (const width of [1280, 390]) {
      await page.emulateMedia({colorScheme, reducedMotion: 'reduce'});
      await page.setViewportSize({width, height: 844});
      assert.deepEqual(await page.evaluate(faults), [], `${what}, ${colorScheme}, ${width} pixels wide`);
    }
  }
  await page.emulateMedia({colorScheme: 'light'});
  await page.setViewportSize(before);
}

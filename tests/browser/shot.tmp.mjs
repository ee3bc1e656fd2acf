import {chromium} from 'playwright-core';
const [,, base, ...specs] = process.argv; // name=path
const b = await chromium.launch({executablePath:'/usr/bin/chromium', args:['--no-sandbox','--disable-gpu']});
for (const spec of specs) {
  const [name, path] = [spec.slice(0, spec.indexOf('=')), spec.slice(spec.indexOf('=')+1)];
  for (const [scheme,width] of [['light',1280],['dark',1280],['light',390],['dark',390]]) {
    const page = await b.newPage({viewport:{width,height:width===390?844:900}, colorScheme:scheme});
    await page.goto(base+path); await page.waitForTimeout(900);
    if (process.env.OPEN && width===390) await page.locator('.more-filters > summary').click().catch(()=>{});
    await page.screenshot({path:`/tmp/g3/${name}-${scheme}-${width}.png`, fullPage: !!process.env.FULL});
    await page.close();
  }
}
await b.close();

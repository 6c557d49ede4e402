import { readFileSync } from 'node:fs';
import { afterAll, afterEach, beforeAll, expect, it } from '@jest/globals';
import { HEAD_BYTES } from '../src/gateway/attachments/page/unseal.js';
import { AttachmentWorld, bytesOf, CLIP, FILM, film } from './support/attachment-world.js';
import { TestBrowser } from './support/browser.js';
import { describeWithPeer } from './support/describe-with-peer.js';

describeWithPeer('chromium', 'The page behind a link', (program) => {
  let world: AttachmentWorld;
  let browser: TestBrowser;
  beforeAll(async () => {
    world = await AttachmentWorld.create();
    browser = await TestBrowser.start(program);
  });
  afterAll(async () => {
    await browser.stop();
    await world.stop();
  });
  afterEach(() => world.empty());

  const click = { name: 'Download' };
  const status = 'status';

  it('shows what the file is, and saves it whole', async () => {
    const { url } = await world.linkTo(film);
    const { page, complaints, requests } = await browser.visit(url, { acceptDownloads: true });
    await page.getByText('Film vom Sommer 🎬.mp4').waitFor();
    await page.getByText('5.2 MB').waitFor();
    await page.getByText('video/mp4').waitFor();
    const downloading = page.waitForEvent('download');
    await page.getByRole('button', click).click();
    const download = await downloading;
    expect(download.suggestedFilename()).toBe('Film vom Sommer 🎬.mp4');
    expect(readFileSync(await download.path()).equals(FILM)).toBe(true);
    await page.getByText('Done.').waitFor();
    expect(complaints).toEqual([]);
    const places = requests.map((each) => new URL(each)).filter(({ protocol }) => protocol === 'http:');
    expect(new Set(places.map(({ origin }) => origin))).toEqual(new Set([world.gateway.url]));
    await page.context().close();
  });

  it('hands out bytes and no page of the sender’s', async () => {
    const html = '<script>document.title = "run"; parent.ran = true</script>';
    const page = `${html}${' '.repeat(200_000)}`;
    const { url } = await world.linkTo({
      filename: 'invoice.html',
      content: Buffer.from(page),
      contentType: 'text/html',
    });
    // Only so that the test may look at what the page offers: the page's own policy would not let it.
    const visit = await browser.visit(url, { acceptDownloads: true, bypassCSP: true });
    const downloading = visit.page.waitForEvent('download');
    await visit.page.getByRole('button', click).click();
    expect(readFileSync(await (await downloading).path(), 'utf8')).toBe(page);
    const href = JSON.stringify(await visit.page.locator('#save').getAttribute('href'));
    const type = await visit.page.evaluate(`fetch(${href}).then((answer) => answer.blob()).then(({ type }) => type)`);
    expect(type).toBe('application/octet-stream');
    const opening = visit.page.waitForEvent('download');
    await visit.page.locator('#save').click();
    expect((await opening).suggestedFilename()).toBe('invoice.html');
    expect(await visit.page.title()).toBe('invoice.html');
    await visit.page.context().close();
  });

  it.each([
    ['a wrong key', (url: string) => url.replace(/#.*/, `#${'ab'.repeat(32)}`), /does not fit this file/],
    ['half a key', (url: string) => url.slice(0, -9), /The link is incomplete/],
    ['no key', (url: string) => url.replace(/#.*/, ''), /The link is incomplete/],
  ])('says in words what is wrong with %s', async (_, spoil, words) => {
    const { url } = await world.linkTo();
    const { page } = await browser.visit(spoil(url));
    await page.getByRole('heading', { name: 'The file cannot be opened' }).waitFor();
    expect(await page.getByRole(status).textContent()).toMatch(words);
    expect(await page.getByRole('button', click).isVisible()).toBe(false);
    await page.context().close();
  });

  it('saves nothing of a file that was changed', async () => {
    const { url } = await world.linkTo();
    const sql = `UPDATE attachment_chunk SET ciphertext = set_byte(ciphertext, 9, get_byte(ciphertext, 9) # 1)
      WHERE position = 4`;
    await world.gateway.db.query(sql);
    const { page } = await browser.visit(url, { acceptDownloads: true });
    const downloads: unknown[] = [];
    page.on('download', (download) => void downloads.push(download));
    await page.getByRole('button', click).click();
    await page.getByText('The file was damaged or changed, so nothing was saved.').waitFor();
    expect(downloads).toEqual([]);
    await page.context().close();
  });

  it('goes on where a connection broke', async () => {
    const { url, dataUrl } = await world.linkTo();
    const sealed = await bytesOf(dataUrl);
    const broken = HEAD_BYTES + 3 * 262_160 + 1_000;
    const { page } = await browser.visit(url, { acceptDownloads: true });
    const ranges: string[] = [];
    await page.route('**/data', async (route) => {
      ranges.push((await route.request().allHeaders())['range']!);
      if (ranges.length > 1) return route.continue();
      return route.fulfill({ status: 206, body: sealed.subarray(HEAD_BYTES, broken) });
    });
    const downloading = page.waitForEvent('download');
    await page.getByRole('button', click).click();
    expect(readFileSync(await (await downloading).path()).equals(CLIP)).toBe(true);
    expect(ranges).toEqual([`bytes=${HEAD_BYTES}-`, `bytes=${HEAD_BYTES + 3 * 262_160}-`]);
    await page.context().close();
  });

  it('says that the time is over, before and while it is open', async () => {
    const { url } = await world.linkTo();
    const { page } = await browser.visit(url);
    await page.getByRole('button', click).waitFor();
    await world.expireAll();
    await page.getByRole('button', click).click();
    await page.getByText('The file is no longer here').waitFor();
    await page.reload();
    await page.getByRole('heading', { name: 'This file is no longer here' }).waitFor();
    await page.context().close();
  });

  it('is readable on a phone', async () => {
    const { url } = await world.linkTo({ filename: `${'very_long_'.repeat(15)}name.pdf` });
    const { page } = await browser.visit(url, { viewport: { width: 320, height: 640 }, isMobile: true });
    await page.getByRole('button', click).waitFor();
    const wide = await page.evaluate('document.documentElement.scrollWidth');
    expect(wide).toBeLessThanOrEqual(320);
    await page.context().close();
  });
});

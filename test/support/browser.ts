import { chromium, type Browser, type BrowserContextOptions, type Page } from 'playwright-core';

const FLAGS = [
  '--no-sandbox',
  '--disable-gpu',
  '--disable-quic',
  '--no-first-run',
  '--disable-background-networking',
  '--disable-component-update',
  '--disable-sync',
];

/** A page as somebody has it before him, and what happened behind it. */
export interface Visit {
  readonly page: Page;
  /** What the browser complained of: failed scripts, violations of the page's policy. */
  readonly complaints: string[];
  /** Everything that was asked for. */
  readonly requests: string[];
}

/** A real browser, without a window. */
export class TestBrowser {
  private constructor(private readonly browser: Browser) {}

  /** @param program where it is installed */
  static async start(program: string): Promise<TestBrowser> {
    return new TestBrowser(await chromium.launch({ executablePath: program, headless: true, args: FLAGS }));
  }

  /** With nothing remembered of earlier visits. */
  async visit(url: string, options: BrowserContextOptions = {}): Promise<Visit> {
    const context = await this.browser.newContext(options);
    const page = await context.newPage();
    const [complaints, requests]: [string[], string[]] = [[], []];
    page.on('console', (line) => void (line.type() === 'error' && complaints.push(line.text())));
    page.on('pageerror', (error) => void complaints.push(error.message));
    page.on('request', (request) => void requests.push(request.url()));
    await page.goto(url);
    return { page, complaints, requests };
  }

  stop(): Promise<void> {
    return this.browser.close();
  }
}

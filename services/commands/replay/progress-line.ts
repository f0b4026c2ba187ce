/** Where lines are written: process.stdout, process.stderr, a test. */
export interface Output {
  write(text: string): unknown;
  /** On a terminal the line is written over itself. */
  isTTY?: boolean | undefined;
}

/** Says now and then how far long work has come, on a line of its own that the next text replaces. */
export interface ProgressLine {
  say(text: () => string): void;
  /** Clears the line, so that something else can be written. */
  end(): void;
}

const intervalMs = { terminal: 200, file: 10_000 };

export function createProgressLine(out: Output, nowMs: () => number = () => performance.now()): ProgressLine {
  const interval = out.isTTY ? intervalMs.terminal : intervalMs.file;
  let saidAt = nowMs();
  let visible = false;
  return {
    say(text) {
      if (nowMs() - saidAt < interval) return;
      saidAt = nowMs();
      out.write(out.isTTY ? `\r\x1b[K${text()}` : `${text()}\n`);
      visible = out.isTTY === true;
    },
    end() {
      if (visible) out.write('\r\x1b[K');
      visible = false;
    },
  };
}

// Graphviz, as WebAssembly, in a worker: a layout that takes too long is given up, and the page
// answers all the while.

// What lays DOT text out as SVG text, in `limits.seconds` at the most.
function startGraphviz(base64, limits) {
  let worker = null;

  function start() {
    const code = `${loadGraphviz}
      let loaded = null;
      onmessage = async ({ data: { base64, dot } }) => {
        try {
          loaded ??= loadGraphviz(base64);
          postMessage({ svg: await (await loaded)(dot) });
        } catch (problem) {
          postMessage({ problem: String(problem) });
        }
      };`;
    const url = URL.createObjectURL(new Blob([code], { type: "text/javascript" }));
    worker = new Worker(url);
    URL.revokeObjectURL(url);
  }

  const run = (dot) =>
    new Promise((resolve, reject) => {
      if (!worker) start();
      const end = (settle, value) => {
        clearTimeout(alarm);
        worker.onmessage = worker.onerror = null;
        settle(value);
      };
      const alarm = setTimeout(() => {
        worker.terminate();
        worker = null;
        reject(new Error("out of time"));
      }, limits.seconds * 1000);
      worker.onmessage = ({ data }) => {
        if (data.problem) end(reject, new Error(data.problem));
        else end(resolve, data.svg);
      };
      worker.onerror = (event) =>
        end(reject, new Error(event.message || "the worker does not start"));
      worker.postMessage({ base64, dot });
    });

  let last = Promise.resolve(); // one after the other
  return (dot) => {
    last = last.catch(() => {}).then(() => run(dot));
    return last;
  };
}

// The module asks for a system (WASI), and is given one with nothing in it.
async function loadGraphviz(base64) {
  const packed = Uint8Array.from(atob(base64), (c) => c.charCodeAt(0));
  const stream = new Blob([packed]).stream().pipeThrough(new DecompressionStream("gzip"));
  const module = await WebAssembly.compile(await new Response(stream).arrayBuffer());

  // An instance for every layout, so that one that failed spoils nothing that comes after it.
  return async function layOut(dot) {
    let memory;
    const view = () => new DataView(memory.buffer);
    const [DONE, NO_FILE] = [0, 8];
    const system = {
      environ_sizes_get(count, size) {
        view().setUint32(count, 0, true);
        view().setUint32(size, 0, true);
        return DONE;
      },
      environ_get: () => DONE,
      clock_time_get(clock, precision, time) {
        view().setBigUint64(time, 0n, true);
        return DONE;
      },
      random_get: (start, length) => {
        new Uint8Array(memory.buffer, start, length).fill(0);
        return DONE;
      },
      // Warnings are written, and heard by nobody.
      fd_write(file, vectors, count, written) {
        let length = 0;
        for (let i = 0; i < count; i++) length += view().getUint32(vectors + 8 * i + 4, true);
        view().setUint32(written, length, true);
        return DONE;
      },
      proc_exit(code) {
        throw new Error(`Graphviz ended with ${code}`);
      },
    };
    const asked = WebAssembly.Module.imports(module).map(({ name }) => [
      name,
      system[name] ?? (() => NO_FILE),
    ]);
    const instance = await WebAssembly.instantiate(module, {
      wasi_snapshot_preview1: Object.fromEntries(asked),
    });
    const { malloc, graphviz_render: render, graphviz_last_error: lastError } = instance.exports;
    memory = instance.exports.memory;
    const put = (text) => {
      const bytes = new TextEncoder().encode(`${text}\0`);
      const start = malloc(bytes.length);
      new Uint8Array(memory.buffer).set(bytes, start);
      return start;
    };
    const read = (start, length) =>
      new TextDecoder().decode(new Uint8Array(memory.buffer, start, length));
    const texts = [dot, "svg", "dot"].map(put);
    const length = malloc(4);
    const start = render(...texts, length);
    if (start) return read(start, view().getUint32(length, true));
    throw new Error(read(lastError(), 4096).split("\0")[0]);
  };
}

import { defineConfig } from "vite";

// The API that answers while the page is developed with `npm run dev`.
const api = { target: "http://127.0.0.1:8000", changeOrigin: false };

export default defineConfig({
  base: "/",
  build: {
    target: "es2022",
    // Every asset a file of its own: the content security policy allows fonts and data from the server only.
    assetsInlineLimit: 0,
    sourcemap: false,
    chunkSizeWarningLimit: 400,
  },
  server: { port: 21800, proxy: { "/v1": api } },
});

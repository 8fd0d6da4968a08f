// Going live from the browser.

import { shellWords } from "./i18n/shell.ts";
import { Header } from "./shell/header.tsx";
import { mount } from "./shell/mount.tsx";

function Studio() {
  return (
    <>
      <Header at="studio" />
      <main id="main">
        <h1>{shellWords().goLive}</h1>
      </main>
    </>
  );
}

mount(Studio);

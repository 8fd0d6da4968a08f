// The operator's console.

import { shellWords } from "./i18n/words.ts";
import { Header } from "./shell/header.tsx";
import { mount } from "./shell/mount.tsx";

function Console() {
  return (
    <>
      <Header at="console" />
      <main id="main">
        <h1>{shellWords().console}</h1>
      </main>
    </>
  );
}

void mount(Console);

// What is live.

import { shellWords } from "./i18n/shell.ts";
import { Header } from "./shell/header.tsx";
import { mount } from "./shell/mount.tsx";

function List() {
  return (
    <>
      <Header at="list" />
      <main id="main">
        <h1>{shellWords().live}</h1>
      </main>
    </>
  );
}

mount(List);

// A stream alone, for other pages to show within theirs.

import { mount } from "./shell/mount.tsx";

mount(() => <main id="main" />);

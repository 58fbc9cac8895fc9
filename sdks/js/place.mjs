// Puts what tsc built in the place of `dist`: whoever imports that meanwhile finds a whole one.

import { existsSync, renameSync, rmSync } from 'node:fs';

const remove = (folder) => rmSync(folder, { recursive: true, force: true });

remove('dist.old');
if (existsSync('dist')) renameSync('dist', 'dist.old');
renameSync('dist.new', 'dist');
remove('dist.old');

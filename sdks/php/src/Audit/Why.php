<?php

declare(strict_types=1);

namespace InnoAI\Audit;

/** What is wrong with a link. */
enum Why: string
{
    case ContentChanged = 'content changed';
    case LinkBroken = 'link broken';
    case EntryMissing = 'entry missing';
    case HeadNotReached = 'does not reach the head';
}

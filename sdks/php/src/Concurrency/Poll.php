<?php

declare(strict_types=1);

namespace InnoAI\Concurrency;

/** Something that has to be driven while one waits for it. */
interface Poll
{
    /** Go on with what can go on, without waiting. */
    public function drive(): void;

    /** Wait until something can go on, for so many seconds at most. */
    public function rest(float $seconds): void;
}

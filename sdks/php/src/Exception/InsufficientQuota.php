<?php

declare(strict_types=1);

namespace InnoAI\Exception;

/** 402: the budget is used up. */
final class InsufficientQuota extends APIStatusError
{
}

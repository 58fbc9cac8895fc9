<?php

declare(strict_types=1);

namespace InnoAI\Exception;

/** Whatever this package throws. */
interface InnoAIException extends \Throwable
{
}

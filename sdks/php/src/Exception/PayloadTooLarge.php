<?php

declare(strict_types=1);

namespace InnoAI\Exception;

/** 413: the body is larger than the server takes. */
final class PayloadTooLarge extends APIStatusError
{
}

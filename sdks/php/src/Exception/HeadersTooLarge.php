<?php

declare(strict_types=1);

namespace InnoAI\Exception;

/** 431: the header fields are larger than the server takes. */
final class HeadersTooLarge extends APIStatusError
{
}

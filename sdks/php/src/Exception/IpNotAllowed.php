<?php

declare(strict_types=1);

namespace InnoAI\Exception;

/** 403: the key's allowed_ips do not contain the caller's address. */
final class IpNotAllowed extends PermissionDeniedError
{
}
